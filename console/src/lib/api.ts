import type { Session } from "./types";

/** A refusal or failure of the API, with its permanent code and what to do next. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly place = "",
    readonly hint = "",
  ) {
    super(message);
    this.name = "ApiError";
  }
}

let csrf = "";
let expired: () => void = () => undefined;

export const root = "/api/v1";

export function useSession(session: Session | null): void {
  csrf = session?.csrf ?? "";
}

/** What every request that changes something carries. */
export const guard = (): Record<string, string> => ({ "X-Hulian-CSRF": csrf });

/** `action` is called when a request finds the login gone. */
export function onExpired(action: () => void): void {
  expired = action;
}

export interface Options {
  /** Sent as JSON. */
  body?: unknown;
  /** JSON that is written already: for numbers that JavaScript cannot hold. */
  text?: string;
  signal?: AbortSignal;
  accept?: string;
  quiet?: boolean;
}

/** What an answer that is no success says. */
export async function refusal(response: Response): Promise<ApiError> {
  let document: unknown;
  try {
    document = await response.json();
  } catch {
    document = null;
  }
  const found = (document ?? {}) as Record<string, unknown>;
  const text = (key: string) => (typeof found[key] === "string" ? (found[key] as string) : "");
  const message = text("message") || text("detail") || `${response.status} ${response.statusText}`;
  return new ApiError(response.status, text("code") || `HTTP ${response.status}`, message, text("place"), text("hint"));
}

/** The raw answer; throws `ApiError` for every refusal and for a server that does not answer. */
export async function request(method: string, path: string, options: Options = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: options.accept ?? "application/json" };
  if (method !== "GET") Object.assign(headers, guard());
  const init: RequestInit = { method, headers, credentials: "same-origin", signal: options.signal ?? null };
  const body = options.text ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = body;
  }
  let response: Response;
  try {
    response = await fetch(root + path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "OFFLINE", "The platform does not answer.", "", "");
  }
  if (response.ok) return response;
  const error = await refusal(response);
  if (response.status === 401 && !options.quiet) expired();
  throw error;
}

async function json<T>(method: string, path: string, options?: Options): Promise<T> {
  const response = await request(method, path, options);
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

export const get = <T>(path: string, options?: Options) => json<T>("GET", path, options);
export const post = <T>(path: string, body: unknown = {}, options?: Options) =>
  json<T>("POST", path, { ...options, body });
export const patch = <T>(path: string, body: unknown) => json<T>("PATCH", path, { body });
export const remove = <T>(path: string, body?: unknown) => json<T>("DELETE", path, body === undefined ? {} : { body });

/** `?a=1&b=2` of what is set; empty where nothing is. */
export function search(parameters: Record<string, string | number | boolean | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") query.set(key, String(value));
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** Items of an answer that is either a list or an object holding one. */
export function itemsOf<T>(answer: T[] | { items?: T[]; rows?: T[] }): T[] {
  return Array.isArray(answer) ? answer : (answer.items ?? answer.rows ?? []);
}

/** Sends a POST and saves what it answers as a file; the name comes from the answer where it names one. */
export async function download(path: string, body: unknown, fallback: string): Promise<string> {
  const response = await request("POST", path, { body, accept: "*/*" });
  const disposition = response.headers.get("Content-Disposition") ?? "";
  const extended = /filename\*=UTF-8''([^;]+)/i.exec(disposition)?.[1];
  const plain = /filename="?([^";]+)"?/i.exec(disposition)?.[1];
  const name = extended ? decodeURIComponent(extended) : (plain ?? fallback);
  save(await response.blob(), name);
  return name;
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
