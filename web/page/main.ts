import { Companion } from "./companion.js";

new Companion(document).start();
