import { post, search } from "../lib/api";
import { sendFile } from "../lib/sending";
import type { Job } from "../lib/types";
import type { Step, Upload } from "./types";

/** Sends a document; `tell` hears how much of it has left. Throws `ApiError`, or an abort. */
export const upload = (
  file: File,
  form: string,
  tell: (fraction: number) => void,
  signal: AbortSignal,
): Promise<Upload> =>
  sendFile(
    `/model/uploads${search({ file: file.name, format: form })}`,
    file,
    "application/octet-stream",
    tell,
    signal,
  );

/** Begins to read what was sent. */
export const begin = (step: Step, name: string): Promise<Job> =>
  post<Job>(`/model/imports${search({ upload: step.upload, with: step.files.join(","), name, file: step.file })}`);
