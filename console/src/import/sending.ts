import { ApiError, get, guard, refusal, root, search } from "../lib/api";
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
export function send(order: Order, tell: (fraction: number) => void, signal: AbortSignal): Promise<Job> {
  // fetch does not say how much of a body has left; the older way does.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${root}/imports${search({ dry_run: order.dry, skip_bad: order.skip, name: order.name })}`);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", order.format);
    for (const [name, text] of Object.entries(guard())) request.setRequestHeader(name, text);
    request.upload.onprogress = (event) => tell(event.total ? event.loaded / event.total : 0);
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText) as Job);
      else {
        const { status, statusText } = request;
        void refusal(new Response(request.responseText, { status, statusText })).then(reject);
      }
    };
    request.onerror = () => reject(new ApiError(0, "OFFLINE", "The platform does not answer."));
    request.onabort = () => reject(new DOMException("given up", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(order.file);
  });
}

/** Follows a job to its end; `tell` gets each state of it. Throws `ApiError`, or an abort. */
export async function follow(job: Job, tell: (job: Job) => void, signal: AbortSignal): Promise<Job> {
  while (job.state === "running") {
    await new Promise((resolve) => setTimeout(resolve, 300));
    job = await get<Job>(`/jobs/${encodeURIComponent(job.id)}`, { signal });
    tell(job);
  }
  return job;
}

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
