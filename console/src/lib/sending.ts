import { ApiError, get, guard, refusal, root } from "./api";
import type { Job } from "./types";

/** Sends a file; `tell` hears how much of it has left. Throws `ApiError`, or an abort. */
export function sendFile<T>(
  path: string,
  body: Blob,
  type: string,
  tell: (fraction: number) => void,
  signal: AbortSignal,
): Promise<T> {
  // fetch does not say how much of a body has left; the older way does.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", root + path);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", type);
    for (const [name, text] of Object.entries(guard())) request.setRequestHeader(name, text);
    request.upload.onprogress = (event) => tell(event.total ? event.loaded / event.total : 0);
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText) as T);
      else {
        const { status, statusText } = request;
        void refusal(new Response(request.responseText, { status, statusText })).then(reject);
      }
    };
    request.onerror = () => reject(new ApiError(0, "OFFLINE", "The platform does not answer."));
    request.onabort = () => reject(new DOMException("given up", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

/** Follows a job to its end; `tell` gets each state of it. Throws `ApiError`, or an abort. */
export async function follow(job: Job, tell: (job: Job) => void, signal?: AbortSignal): Promise<Job> {
  while (job.state === "running") {
    await new Promise((resolve) => setTimeout(resolve, 300));
    job = await get<Job>(`/jobs/${encodeURIComponent(job.id)}`, { signal });
    tell(job);
  }
  return job;
}
