import { describe, expect, it } from "vitest";
import { documentOf, fieldOf, formOf, freshForm, freshServer, signedOf } from "./registration";

const filled = () => ({
  ...freshForm("88.111"),
  prefix: " 88.111.7 ",
  name: "Example Pumps Ltd.",
  number: "91350100m000100y43",
  industry: "c3441",
  contact: "Li Hua",
  email: "li.hua@pumps.example",
  purpose: "pumps",
  servers: [{ ...freshServer(), address: "192.0.2.7", udp: "" }],
});

describe("an application", () => {
  it("begins with the prefix above it, but for a root", () => {
    expect(freshForm("88.111").prefix).toBe("88.111.");
    expect(freshForm("0.NA").prefix).toBe("");
  });

  it("sends what was filled in, and nothing else", () => {
    const made = documentOf(filled());
    expect(made).toEqual({
      prefix: "88.111.7",
      tier: "enterprise",
      organisation: {
        name: "Example Pumps Ltd.",
        register: "uscc",
        number: "91350100M000100Y43",
        country: "CN",
        industry: "C3441",
        contact: { name: "Li Hua", email: "li.hua@pumps.example" },
      },
      purpose: "pumps",
      code_types: ["Handle"],
      servers: [{ address: "192.0.2.7", udp: 0, tcp: 2641, http: 0, https: 0 }],
    });
    expect(documentOf(formOf(made))).toEqual(made);
  });

  it("leaves numbers of other registers as they are written", () => {
    expect(documentOf({ ...filled(), register: "other", number: "hrb 1a", authority: "x" }).organisation.number).toBe(
      "hrb 1a",
    );
  });

  it("finds the field of an error", () => {
    expect(fieldOf("$.organisation.number")).toBe("number");
    expect(fieldOf("$.organisation.contact.email")).toBe("email");
    expect(fieldOf("$.servers[1].address")).toBe("server.1");
    expect(fieldOf("$.registration.prefix")).toBe("prefix");
    expect(fieldOf("signature")).toBe("signature");
  });

  it("reads a signed file, and nothing that is none", () => {
    const registration = JSON.stringify(documentOf(filled()));
    const signed = { registration, signature: "c2ln" };
    expect(signedOf(JSON.stringify(signed))?.signed).toEqual(signed);
    expect(signedOf(JSON.stringify(signed))?.made.prefix).toBe("88.111.7");
    for (const text of ["", "{}", "null", registration, JSON.stringify({ registration: "[]", signature: "" })])
      expect(signedOf(text), text).toBeNull();
  });
});
