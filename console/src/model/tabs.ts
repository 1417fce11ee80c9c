import type { Key } from "../lib/i18n.svelte";

/** The pages about meaning, in the order of their tabs; the path is where each is. */
export const tabs: readonly { path: string; key: Key }[] = [
  { path: "/model", key: "nav.model" },
  { path: "/model/import", key: "nav.model.import" },
  { path: "/model/documents", key: "nav.documents" },
  { path: "/dictionary", key: "nav.dictionary" },
  { path: "/matching", key: "nav.matching" },
];
