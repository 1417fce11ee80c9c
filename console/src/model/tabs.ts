import type { Key } from "../lib/i18n.svelte";

/** The pages about meaning, in the order of their tabs; the path is where each is. */
export const tabs: readonly { path: string; key: Key }[] = [
  { path: "/model", key: "model.tab.browse" },
  { path: "/model/import", key: "documents.tab.import" },
  { path: "/model/documents", key: "documents.tab.documents" },
  { path: "/dictionary", key: "nav.dictionary" },
  { path: "/matching", key: "nav.matching" },
];
