import { ApiError, get, guard, refusal, root, search } from "../lib/api";
import type { Job } from "../lib/types";

/** Sends a dictionary and gives the job that reads it. Throws `ApiError`. */
export async function send(file: File, name: string, label: string): Promise<Job> {
  let response: Response;
  try {
    response = await fetch(`${root}/dictionary/imports${search({ file: file.name, name, label })}`, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/octet-stream", ...guard() },
      credentials: "same-origin",
      body: file,
    });
  } catch {
    throw new ApiError(0, "OFFLINE", "The platform does not answer.");
  }
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as Job;
}

/** Follows the job to its end; `tell` gets each state of it. */
export async function follow(job: Job, tell: (job: Job) => void): Promise<Job> {
  while (job.state === "running") {
    await new Promise((resolve) => setTimeout(resolve, 300));
    job = await get<Job>(`/jobs/${encodeURIComponent(job.id)}`);
    tell(job);
  }
  return job;
}
