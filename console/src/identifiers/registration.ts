import type { Registration, ServerAt, Signed } from "./types";

/** An application for a prefix as its form has it: every field a text, ports empty where that protocol is not spoken. */
export interface Form {
  prefix: string;
  tier: string;
  name: string;
  register: string;
  number: string;
  authority: string;
  country: string;
  industry: string;
  address: string;
  contact: string;
  email: string;
  phone: string;
  purpose: string;
  codes: string[];
  servers: ServerRow[];
  reference: string;
}

export type ServerRow = Record<"address" | Port, string>;
export const ports = ["udp", "tcp", "http", "https"] as const;
export type Port = (typeof ports)[number];
export const codeTypes = ["Handle", "OID", "DID:BID", "VAA", "Ecode", "GS1"];

export const freshServer = (): ServerRow => ({ address: "", udp: "2641", tcp: "2641", http: "", https: "" });

export const freshForm = (parent: string): Form => ({
  prefix: parent && parent !== "0.NA" ? `${parent}.` : "",
  tier: "enterprise",
  name: "",
  register: "uscc",
  number: "",
  authority: "",
  country: "CN",
  industry: "",
  address: "",
  contact: "",
  email: "",
  phone: "",
  purpose: "",
  codes: ["Handle"],
  servers: [freshServer()],
  reference: "",
});

/** What is sent: nothing that was left empty, and no key, for that is the signer's. */
export function documentOf(form: Form): Registration {
  const organisation: Registration["organisation"] = {
    name: form.name.trim(),
    register: form.register,
    number: form.number.trim().toUpperCase(),
    country: form.country.trim().toUpperCase(),
    industry: form.industry.trim().toUpperCase(),
    contact: { name: form.contact.trim(), email: form.email.trim() },
  };
  if (form.register === "other") organisation.number = form.number.trim();
  if (form.authority.trim()) organisation.authority = form.authority.trim();
  if (form.address.trim()) organisation.address = form.address.trim();
  if (form.phone.trim()) organisation.contact!.phone = form.phone.trim();
  const found: Registration = {
    prefix: form.prefix.trim(),
    tier: form.tier,
    organisation,
    purpose: form.purpose.trim(),
    code_types: form.codes,
    servers: form.servers.map(serverOf),
  };
  if (form.reference.trim()) found.reference = form.reference.trim();
  return found;
}

/** A port that was left empty is 0: the protocol is not spoken. */
function serverOf(row: ServerRow): ServerAt {
  const found: ServerAt = { address: row.address.trim() };
  for (const port of ports) found[port] = Number(row[port]) || 0;
  return found;
}

export function formOf(made: Registration): Form {
  const { organisation } = made;
  return {
    prefix: made.prefix,
    tier: made.tier ?? "enterprise",
    name: organisation.name,
    register: organisation.register,
    number: organisation.number,
    authority: organisation.authority ?? "",
    country: organisation.country,
    industry: organisation.industry,
    address: organisation.address ?? "",
    contact: organisation.contact?.name ?? "",
    email: organisation.contact?.email ?? "",
    phone: organisation.contact?.phone ?? "",
    purpose: made.purpose,
    codes: made.code_types ?? ["Handle"],
    servers: made.servers.map((server) => ({
      address: server.address,
      ...(Object.fromEntries(ports.map((port) => [port, server[port] ? String(server[port]) : ""])) as Record<
        Port,
        string
      >),
    })),
    reference: made.reference ?? "",
  };
}

const fields: Record<string, string> = {
  "organisation.contact.name": "contact",
  "organisation.contact.email": "email",
  "organisation.contact.phone": "phone",
  code_types: "codes",
};

/** The field of the form that an error's place names: `$.organisation.number` is `number`, `$.servers[1].address` is `server.1`. */
export function fieldOf(place: string): string {
  const path = place.replace(/^\$\.(?:registration\.)?/, "");
  const server = /^servers\[(\d+)\]/.exec(path);
  if (server) return `server.${server[1]}`;
  return fields[path] ?? path.replace(/^organisation\./, "");
}

/** What a signed registration holds, as the console and `hulian identifiers apply --signed` write it. Null: it is none. */
export function signedOf(text: string): { signed: Signed; made: Registration } | null {
  try {
    const signed = JSON.parse(text) as Signed;
    if (typeof signed.registration !== "string" || typeof signed.signature !== "string") return null;
    const made = JSON.parse(signed.registration) as Registration;
    if (typeof made.prefix !== "string" || typeof made.organisation?.name !== "string") return null;
    return { signed: { registration: signed.registration, signature: signed.signature }, made };
  } catch {
    return null;
  }
}

export type Tone = "good" | "warn" | "bad" | "calm" | "info";
const tones: Record<string, Tone> = {
  submitted: "info",
  "in review": "info",
  incomplete: "warn",
  approved: "good",
  suspended: "warn",
  rejected: "bad",
  revoked: "bad",
};
export const stateTone = (state: string): Tone => tones[state] ?? "calm";

/** States as keys of texts have them. */
export const states = [
  "submitted",
  "in review",
  "incomplete",
  "approved",
  "suspended",
  "rejected",
  "withdrawn",
  "revoked",
] as const;
export const stateKey = (state: string) => state.replace(" ", "-");

/** Steps that take something from somebody. */
export const hard = new Set(["reject", "revoke", "suspend", "withdraw"]);
