// The search of the site runs in a worker. A page that was opened as a file may start none, so there it runs in a hidden
// frame, which answers to the same few calls.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.frame.worker = this
      this.frame.srcdoc = `<script>
        const page = frameElement.worker
        window.postMessage = (data) => page.dispatchEvent(new parent.MessageEvent("message", {data}))
      </script><script src="${address}"></script>`
      this.ready = new Promise((done) => (this.frame.onload = done))
      document.body.append(this.frame)
    }
    postMessage(data) {
      this.ready.then(() => {
        const inside = this.frame.contentWindow
        inside.dispatchEvent(new inside.MessageEvent("message", {data}))
      })
    }
    terminate() {
      this.frame.remove()
    }
  }
}
