import { mount } from "svelte";
import "./app.css";
import App from "./App.svelte";
import { texting } from "./lib/i18n.svelte";
import { login } from "./lib/session.svelte";

await Promise.all([texting.load(), login.load()]);
mount(App, { target: document.getElementById("app")! });
