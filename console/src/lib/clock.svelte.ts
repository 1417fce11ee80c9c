import { createSubscriber } from "svelte/reactivity";

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1000);
  return () => clearInterval(timer);
});

/** The time now, in ms; who reads it in a template or effect is run again each second. */
export function now(): number {
  subscribe();
  return Date.now();
}
