import { store, stored } from "../lib/preferences.svelte";
import { recalled, remember, type Remembered } from "./record";

/** What was looked for on this device; typed and scanned alike. */
class Recent {
  items = $state.raw<Remembered[]>(recalled(stored("identifiers")));

  add(text: string, handle: string): void {
    this.#keep(remember(this.items, { text, handle, at: Date.now() }));
  }

  clear(): void {
    this.#keep([]);
  }

  #keep(items: Remembered[]): void {
    this.items = items;
    store("identifiers", items.length ? JSON.stringify(items) : null);
  }
}

export const recent = new Recent();
