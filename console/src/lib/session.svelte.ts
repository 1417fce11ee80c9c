import { ApiError, get, onExpired, post, remove, useSession } from "./api";
import type { Session } from "./types";

type State = "unknown" | "out" | "in" | "unreachable";

/** Who is logged in. */
class Login {
  state = $state<State>("unknown");
  session = $state<Session | null>(null);

  async load(): Promise<void> {
    try {
      this.#set(await get<Session>("/session", { quiet: true }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 0) this.state = "unreachable";
      else this.#set(null);
    }
  }

  async enter(user: string, password: string): Promise<void> {
    this.#set(await post<Session>("/session", { user, password }, { quiet: true }));
  }

  async leave(): Promise<void> {
    try {
      await remove("/session");
    } finally {
      this.#set(null);
    }
  }

  async changePassword(old: string, next: string): Promise<void> {
    const answer = await post<Session | undefined>("/session/password", { old, new: next });
    if (answer && "csrf" in answer && answer.csrf) this.#set(answer);
    else await this.load();
  }

  /** Whether the role reaches as far as `role`. */
  may(role: "viewer" | "operator" | "engineer" | "administrator"): boolean {
    const order = ["viewer", "operator", "engineer", "administrator"];
    return order.indexOf(this.session?.role ?? "") >= order.indexOf(role);
  }

  #set(session: Session | null): void {
    useSession(session);
    this.session = session;
    this.state = session ? "in" : "out";
  }

  constructor() {
    onExpired(() => this.#set(null));
  }
}

export const login = new Login();
