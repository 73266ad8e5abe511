// The search is a worker, and Chromium starts none for a page that was opened from a disk. There it runs in a hidden
// frame. zensical would load such a script from elsewhere; its name, in mkdocs.yml, tells it that one is here.
"use strict";

class FrameWorker extends EventTarget {
  constructor(url) {
    super();
    this.frame = document.createElement("iframe");
    this.frame.hidden = true;
    this.ready = new Promise((resolve, reject) => {
      this.frame.addEventListener("load", () => this.#run(url, resolve, reject), { once: true });
    });
    document.body.append(this.frame);
  }

  // As with a worker, messages are copies, and come after whatever runs now.
  postMessage(message) {
    const data = structuredClone(message);
    this.ready.then(
      () => this.#scope.dispatchEvent(new MessageEvent("message", { data })),
      (event) => this.onerror?.(event),
    );
  }

  terminate() {
    this.frame.remove();
  }

  get #scope() {
    return this.frame.contentWindow;
  }

  #run(url, resolve, reject) {
    this.#scope.postMessage = (message) => {
      const data = structuredClone(message);
      setTimeout(() => this.onmessage?.(new MessageEvent("message", { data })));
    };
    const script = this.#scope.document.createElement("script");
    Object.assign(script, { src: url, onload: resolve, onerror: reject });
    this.#scope.document.body.append(script);
  }
}

if (location.protocol === "file:") {
  window.Worker = FrameWorker;
}
