import type { Key } from "../lib/i18n.svelte";

/** The pages about meaning, side by side; each shows where the others are. */
export const tabs: readonly { path: string; key: Key }[] = [
  { path: "/dictionary", key: "nav.dictionary" },
  { path: "/matching", key: "nav.matching" },
];
