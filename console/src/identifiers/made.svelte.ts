import { store, stored } from "../lib/preferences.svelte";
import type { ApplicationItem } from "./types";

type Made = Pick<ApplicationItem, "id" | "prefix" | "organisation" | "applied">;
const kept = 50;

function read(): Made[] {
  try {
    const found: unknown = JSON.parse(stored("applications") ?? "[]");
    const whole = (one: unknown): one is Made =>
      ["id", "prefix", "organisation", "applied"].every(
        (name) => typeof (one as Record<string, unknown> | null)?.[name] === "string",
      );
    return Array.isArray(found) ? found.filter(whole).slice(0, kept) : [];
  } catch {
    return [];
  }
}

/** Applications at the node above: that node lists them to reviewers alone, and so this browser remembers them. */
class MadeList {
  items = $state.raw<Made[]>(read());

  add({ id, prefix, organisation, applied }: Made): void {
    this.items = [{ id, prefix, organisation, applied }, ...this.items.filter((one) => one.id !== id)].slice(0, kept);
    store("applications", JSON.stringify(this.items));
  }
}

export const made = new MadeList();
