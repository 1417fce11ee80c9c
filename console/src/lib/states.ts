type Tone = "good" | "warn" | "bad" | "calm" | "info";

const connector: Record<string, Tone> = {
  connected: "good",
  degraded: "warn",
  waiting: "warn",
  starting: "info",
  "needs-approval": "warn",
  refused: "bad",
  stopped: "calm",
};

export const connectorTone = (state: string | undefined): Tone => connector[state ?? ""] ?? "calm";

export const edgeTone = (state: string, silent: boolean): Tone =>
  state === "revoked" ? "bad" : state === "waiting" || silent ? "warn" : "good";

export function componentTone(state: string): Tone {
  if (["ready", "running", "ok", "up", "connected"].includes(state)) return "good";
  if (["starting", "restarting", "waiting"].includes(state)) return "info";
  if (["failed", "down", "crashed", "error"].includes(state)) return "bad";
  if (["degraded", "silent", "lagging"].includes(state)) return "warn";
  return "calm";
}

export const severityTone = (severity: string): Tone =>
  severity === "critical" || severity === "error" ? "bad" : severity === "warning" ? "warn" : "info";
