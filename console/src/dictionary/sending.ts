import type { Job } from "../lib/types";
import { sendList } from "../points/lists";

/** Sends a dictionary and gives the job that reads it. Throws `ApiError`. */
export const send = (file: File, name: string, label: string): Promise<Job> =>
  sendList<Job>("/dictionary/imports", file, { file: file.name, name, label });
