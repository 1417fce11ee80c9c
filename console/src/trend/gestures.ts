import type uPlot from "uplot";
import { zoomed } from "./range";

export interface Actions {
  view: () => { start: number; end: number };
  zoom: (start: number, end: number) => void;
  tap: (time: number) => void;
  reset: () => void;
}

/**
 * Wheel zooms at the pointer and pans sideways or with Shift; Shift and drag pans; one finger pans, two pinch; a double click
 * goes back; arrows, plus, minus and 0 do the same from the keyboard. Returns what takes the listeners away.
 */
export function gestures(host: HTMLElement, chart: () => uPlot | null, actions: Actions): () => void {
  const abort = new AbortController();
  const { signal } = abort;
  host.tabIndex = 0;

  const box = () => chart()?.over.getBoundingClientRect();
  const timeAt = (clientX: number) => {
    const area = box();
    const { start, end } = actions.view();
    return area ? start + ((clientX - area.left) / area.width) * (end - start) : (start + end) / 2;
  };
  const pan = (share: number) => {
    const { start, end } = actions.view();
    const by = (end - start) * share;
    actions.zoom(start + by, end + by);
  };
  const zoom = (factor: number, anchor?: number) => {
    const { start, end } = actions.view();
    const next = zoomed(start, end, anchor ?? (start + end) / 2, factor);
    actions.zoom(next.start, next.end);
  };

  host.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 16 : 1;
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
      const width = box()?.width ?? 800;
      if (sideways || event.shiftKey) pan((((sideways ? event.deltaX : event.deltaY) * unit) / width) * 0.8);
      else zoom(Math.exp(Math.max(-120, Math.min(120, event.deltaY * unit)) * 0.002), timeAt(event.clientX));
    },
    { signal, passive: false },
  );
  host.addEventListener("dblclick", () => actions.reset(), { signal });
  host.addEventListener(
    "keydown",
    (event) => {
      const known: Record<string, () => void> = {
        ArrowLeft: () => pan(event.shiftKey ? -1 : -0.2),
        ArrowRight: () => pan(event.shiftKey ? 1 : 0.2),
        "+": () => zoom(0.6),
        "=": () => zoom(0.6),
        "-": () => zoom(1 / 0.6),
        "0": () => actions.reset(),
      };
      const action = known[event.key];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      action();
    },
    { signal },
  );

  const fingers = new Map<number, PointerEvent>();
  let dragged = 0;
  let before: { x: number; spread: number } | null = null;
  const measure = () => {
    const all = [...fingers.values()];
    const x = all.reduce((sum, one) => sum + one.clientX, 0) / all.length;
    return { x, spread: all.length > 1 ? Math.abs(all[0]!.clientX - all[1]!.clientX) : 0 };
  };
  const begin = (event: PointerEvent) => {
    if (event.pointerType === "mouse" && !event.shiftKey && event.button !== 1) {
      dragged = event.clientX;
      return;
    }
    if (event.pointerType === "mouse") {
      event.preventDefault();
      event.stopPropagation();
    }
    fingers.set(event.pointerId, event);
    before = measure();
    dragged = event.clientX;
  };
  const move = (event: PointerEvent) => {
    if (!fingers.has(event.pointerId) || !before) return;
    fingers.set(event.pointerId, event);
    const now = measure();
    const area = box();
    if (!area) return;
    if (fingers.size > 1 && before.spread > 20 && now.spread > 20) zoom(before.spread / now.spread, timeAt(now.x));
    pan((before.x - now.x) / area.width);
    before = now;
  };
  const end = (event: PointerEvent) => {
    if (event.type === "pointerup" && Math.abs(event.clientX - dragged) < 4) actions.tap(timeAt(event.clientX));
    fingers.delete(event.pointerId);
    before = fingers.size ? measure() : null;
  };
  host.addEventListener("pointerdown", begin, { signal, capture: true });
  // The chart listens to mouse events of its own; a pan must not begin a selection there.
  host.addEventListener(
    "mousedown",
    (event) => {
      if (event.shiftKey || event.button === 1) event.stopPropagation();
    },
    { signal, capture: true },
  );
  addEventListener("pointermove", move, { signal });
  addEventListener("pointerup", end, { signal });
  addEventListener("pointercancel", end, { signal });
  return () => abort.abort();
}
