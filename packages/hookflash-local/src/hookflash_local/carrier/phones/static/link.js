// A phone's socket: it registers, comes back when it was lost, and goes on with the call it had.

const WAITS = [250, 500, 1000, 2000];
const REPLACED = 4001;

export class Link {
  /**
   * `wish` is the phone to be: `{ role, number }`. `keep` names what holds the token in this tab, so
   * that a page loaded again goes on with its phone. `on` is told: `shown(phone)`, `frame(buffer)`,
   * `refused(why)`, `state("open" | "lost" | "replaced")`.
   */
  constructor(address, wish, keep, on) {
    this.address = address;
    this.wish = wish;
    this.keep = keep;
    this.on = on;
    this.lost = 0;
    this.open();
  }

  open() {
    const socket = new WebSocket(this.address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const token = sessionStorage.getItem(this.keep) ?? "";
      socket.send(JSON.stringify({ type: "register", ...this.wish, token }));
    };
    socket.onmessage = ({ data }) => this.take(data);
    socket.onclose = ({ code }) => this.closed(code);
    this.socket = socket;
  }

  take(data) {
    if (data instanceof ArrayBuffer) return this.on.frame(data);
    const { type, ...told } = JSON.parse(data);
    if (type === "phone") {
      this.lost = 0;
      sessionStorage.setItem(this.keep, told.token);
      this.on.state("open");
      this.on.shown(told);
    } else if (type === "refused") {
      this.on.refused(told.why);
    }
  }

  closed(code) {
    if (code === REPLACED) return this.on.state("replaced");
    this.on.state("lost");
    this.timer = setTimeout(() => this.open(), WAITS[Math.min(this.lost++, WAITS.length - 1)]);
  }

  /** Take the phone back that another page has. */
  again() {
    clearTimeout(this.timer);
    this.open();
  }

  ask(type, more = {}) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, ...more }));
  }

  send(frame) {
    // What waits too long is not worth hearing: 16,000 bytes are two seconds.
    if (this.socket.readyState === WebSocket.OPEN && this.socket.bufferedAmount < 16000) this.socket.send(frame);
  }
}
