import { Companion } from "./companion.js";

new Companion(document).start();

// After everything that is seen: the files that it keeps are those of all chapters.
window.addEventListener("load", () => {
  if ("serviceWorker" in navigator)
    void navigator.serviceWorker.register(new URL("service_worker.js", document.baseURI));
});
