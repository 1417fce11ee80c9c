/** Local time near a change of summer time: which offset holds, and where a wall clock shows the same time twice. */

const minute = 60_000;
const around = 3 * 3_600_000;

/** Minutes that local time is ahead of UTC. */
export const offsetOf = (time: number): number => -new Date(time).getTimezoneOffset();

/** `UTC+2`, `UTC−03:30`. */
export function offsetText(time: number): string {
  const offset = offsetOf(time);
  if (!offset) return "UTC";
  const hours = Math.floor(Math.abs(offset) / 60);
  const rest = Math.abs(offset) % 60;
  return `UTC${offset > 0 ? "+" : "−"}${rest ? `${String(hours).padStart(2, "0")}:${String(rest).padStart(2, "0")}` : hours}`;
}

/** Whether the wall clock shows this time twice: once before it is set back, and once after. */
export function twice(time: number): boolean {
  const own = offsetOf(time);
  return [time - around, time + around].some((near) => {
    const other = offsetOf(near);
    return other !== own && offsetOf(time + (own - other) * minute) === other;
  });
}

/**
 * The labels of a time axis: where the offset changes between two of them, each end of the change says which one holds, so that
 * an hour that comes twice, or is left out, is seen to be one.
 */
export function withOffsets(labels: readonly (string | null)[], times: readonly number[]): (string | null)[] {
  return labels.map((label, at) => {
    if (!label) return label;
    const changed = [at - 1, at + 1].some(
      (other) => other in times && offsetOf(times[other]!) !== offsetOf(times[at]!),
    );
    return changed ? `${label.split("\n")[0]}\n${offsetText(times[at]!)}` : label;
  });
}
