import type { Component } from "svelte";
import type { IconName } from "../components/Icon.svelte";
import type { Group, Key } from "./i18n.svelte";

/** A page, where it is, and what is loaded with it. */
export interface Place {
  path: string;
  key: Key;
  icon: IconName;
  load: () => Promise<{ default: Component }>;
  /** Texts of its own, loaded with it. */
  texts?: readonly Group[];
  /** The place of the navigation that leads here; it has no entry of its own. */
  within?: string;
  /** Begins another group. */
  ruled?: boolean;
  /** Shown from this role on. */
  role?: "engineer";
}
export const places: Place[] = [
  { path: "/", key: "nav.overview", icon: "overview", load: () => import("../pages/Overview.svelte") },
  {
    path: "/points",
    key: "nav.points",
    icon: "thing",
    load: () => import("../pages/Points.svelte"),
    texts: ["tags"],
  },
  { path: "/trend", key: "nav.trend", icon: "trend", load: () => import("../pages/Trend.svelte") },
  { path: "/tiles", key: "nav.tiles", icon: "tiles", load: () => import("../pages/Tiles.svelte") },
  {
    path: "/identifiers",
    key: "nav.identifiers",
    icon: "identifiers",
    load: () => import("../pages/Identifiers.svelte"),
    texts: ["identifiers"],
  },
  {
    path: "/model",
    key: "nav.model",
    icon: "model",
    load: () => import("../pages/Model.svelte"),
    texts: ["model"],
  },
  {
    path: "/connectors",
    key: "nav.connectors",
    icon: "plug",
    load: () => import("../pages/Connectors.svelte"),
    texts: ["connectors", "edges", "tags"],
    ruled: true,
  },
  {
    path: "/edges",
    key: "nav.edges",
    icon: "node",
    load: () => import("../pages/Edges.svelte"),
    texts: ["edges", "tags"],
    role: "engineer",
  },
  { path: "/events", key: "nav.events", icon: "events", load: () => import("../pages/Events.svelte") },
  { path: "/ledger", key: "nav.ledger", icon: "ledger", load: () => import("../pages/Ledger.svelte") },
  { path: "/access", key: "nav.access", icon: "people", load: () => import("../pages/Access.svelte"), ruled: true },
  { path: "/settings", key: "nav.settings", icon: "settings", load: () => import("../pages/Settings.svelte") },
  {
    path: "/tags",
    key: "nav.tags",
    icon: "ledger",
    load: () => import("../pages/Tags.svelte"),
    texts: ["tags"],
    within: "/points",
  },
  {
    path: "/import",
    key: "nav.import",
    icon: "upload",
    load: () => import("../pages/Import.svelte"),
    texts: ["tags"],
    within: "/points",
  },
  {
    path: "/dictionary",
    key: "nav.dictionary",
    icon: "note",
    load: () => import("../pages/Dictionary.svelte"),
    texts: ["dictionary"],
    within: "/model",
  },
  {
    path: "/matching",
    key: "nav.matching",
    icon: "link",
    load: () => import("../pages/Matching.svelte"),
    texts: ["dictionary"],
    within: "/model",
  },
];
places.push({
  path: "/model/points",
  key: "nav.described",
  icon: "plug",
  load: () => import("../pages/Described.svelte"),
  texts: ["connectors", "described", "documents", "edges", "tags"],
  within: "/model",
});
for (const path of ["/model/import", "/model/documents"])
  places.push({
    path,
    key: "nav.documents",
    icon: "upload",
    load: () => import("../pages/Documents.svelte"),
    texts: ["documents"],
    within: "/model",
  });
