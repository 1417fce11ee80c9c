import { untrack } from "svelte";
import { get, itemsOf } from "./api";
import type { Connector } from "./types";

/** In a component: runs `action` now, and again a moment after what `asked` reads has changed, once for a typed word. */
export function whenAsked(asked: () => unknown, action: () => void, pause = 220): void {
  let first = true;
  $effect(() => {
    asked();
    const timer = setTimeout(() => untrack(action), first ? 0 : pause);
    first = false;
    return () => clearTimeout(timer);
  });
}

/** The connectors to choose from; none where they cannot be had. */
export const choosable = (): Promise<Connector[]> =>
  get<{ items: Connector[] }>("/connectors").then(itemsOf<Connector>, () => []);
