/** What a person says of a new connection. */
export interface NewConnection {
  url: string;
  user: string;
  password: string;
  name: string;
  prefix: string;
  thing: string;
  path: string;
  /** The edge node that it runs on; empty: the platform itself. */
  edge: string;
}
