import { get } from "../lib/api";
import type { Job } from "../lib/types";
import { sendList } from "../points/lists";

/** Sends a dictionary and gives the job that reads it. Throws `ApiError`. */
export const send = (file: File, name: string, label: string): Promise<Job> =>
  sendList<Job>("/dictionary/imports", file, { file: file.name, name, label });

/** Follows the job to its end; `tell` gets each state of it. */
export async function follow(job: Job, tell: (job: Job) => void): Promise<Job> {
  while (job.state === "running") {
    await new Promise((resolve) => setTimeout(resolve, 300));
    job = await get<Job>(`/jobs/${encodeURIComponent(job.id)}`);
    tell(job);
  }
  return job;
}
