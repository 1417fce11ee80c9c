import { search } from "../lib/api";
import { sendFile } from "../lib/sending";
import type { Job } from "../lib/types";

export type Format = "text/csv" | "application/vnd.apache.parquet";

export interface Order {
  file: Blob;
  name: string;
  format: Format;
  /** Check every row and write none. */
  dry: boolean;
  /** Take the other rows where some cannot be taken. */
  skip: boolean;
}

/** Sends a file and gives the job that reads it; `tell` hears how much has left. Throws `ApiError`, or an abort. */
export const send = (order: Order, tell: (fraction: number) => void, signal: AbortSignal): Promise<Job> =>
  sendFile(
    `/imports${search({ dry_run: order.dry, skip_bad: order.skip, name: order.name })}`,
    order.file,
    order.format,
    tell,
    signal,
  );

export interface Problem {
  line: string;
  column: string;
  message: string;
}

/** "line 3, column time: …" in its parts. */
export function problem(text: string): Problem {
  const found = /^line (\d+), column ([^:]*): (.*)$/s.exec(text);
  return found ? { line: found[1]!, column: found[2]!, message: found[3]! } : { line: "", column: "", message: text };
}
