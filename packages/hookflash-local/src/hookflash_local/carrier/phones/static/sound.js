// The page's sound: one audio context, one microphone, and a speaker for each phone.
//
// The microphone is open only while somebody is to hear it; muted means that it is off.

const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

let starting = null;

/** Return the audio context. It may still be silent: see `whenBlocked`. */
export async function context() {
  starting ??= start();
  const audio = await starting;
  if (audio.state === "suspended") audio.resume();
  return audio;
}

/**
 * Tell `blocked(true)` while the browser lets this page make no sound, which lasts until somebody
 * has clicked or typed here once, and `blocked(false)` when it does.
 */
export async function whenBlocked(blocked) {
  const audio = await context();
  const tell = () => blocked(audio.state === "suspended");
  audio.addEventListener("statechange", tell);
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => audio.resume(), { capture: true });
  tell();
}

async function start() {
  const audio = new AudioContext({ latencyHint: "interactive" });
  const module = (name) => audio.audioWorklet.addModule(new URL(name, import.meta.url));
  await Promise.all([module("worklet-microphone.js"), module("worklet-speaker.js")]);
  return audio;
}

/**
 * Let the browser ask for the microphone, if it has to, before a call begins: its question takes as
 * long as its owner likes, and nobody should wait on the line for that. A refusal is told later.
 */
export async function askFirst() {
  context();
  try {
    const { state } = await navigator.permissions.query({ name: "microphone" });
    if (state === "prompt") for (const track of (await ask()).getTracks()) track.stop();
  } catch {
    // Not every browser can be asked, and the call tells why there is no microphone.
  }
}

/** What a phone plays into: `play(frame)`, `loud(true)`; `onLevel(level)` as it sounds. */
export class Speaker {
  constructor(onLevel) {
    this.onLevel = onLevel;
    this.node = null;
    this.volume = 1;
  }

  async open() {
    if (this.node) return;
    const audio = await context();
    if (this.node) return;
    this.gain = new GainNode(audio, { gain: this.volume });
    this.node = new AudioWorkletNode(audio, "phone-speaker", { numberOfInputs: 0, outputChannelCount: [1] });
    this.node.port.onmessage = ({ data }) => this.onLevel(data.level);
    this.node.connect(this.gain).connect(audio.destination);
  }

  play(frame) {
    this.node?.port.postMessage(frame, [frame]);
  }

  loud(on) {
    this.volume = on ? 1 : 0;
    if (this.gain) this.gain.gain.setTargetAtTime(this.volume, this.gain.context.currentTime, 0.01);
  }

  close() {
    // What it has already told is of a call that is over.
    if (this.node) this.node.port.onmessage = null;
    this.node?.disconnect();
    this.gain?.disconnect();
    this.node = this.gain = null;
  }
}

/** The one microphone. `wanted(onFrame)` opens it for a phone, `wanted(null)` switches it off. */
export const microphone = {
  onFrame: null,
  stream: null,
  node: null,
  turn: 0,

  /** Rejects with a sentence to show where there is no microphone, or it may not be used. */
  async wanted(onFrame) {
    this.onFrame = onFrame;
    const turn = ++this.turn;
    if (!onFrame) return this.off();
    if (this.node) return;
    const audio = await context();
    const stream = await ask();
    if (turn !== this.turn || this.node) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    this.stream = stream;
    this.source = new MediaStreamAudioSourceNode(audio, { mediaStream: stream });
    this.node = new AudioWorkletNode(audio, "phone-microphone", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => this.onFrame?.(data.frame, data.level);
    this.source.connect(this.node);
  },

  off() {
    this.source?.disconnect();
    if (this.node) this.node.port.onmessage = null;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = this.source = this.node = null;
  },
};

async function ask() {
  if (!navigator.mediaDevices) {
    throw new Error("A browser gives its microphone to pages on this machine (127.0.0.1) or on https only.");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE });
  } catch (error) {
    throw new Error(
      error.name === "NotAllowedError"
        ? "The microphone is blocked. Allow it in the address bar, then unmute; until then you can listen."
        : "No microphone was found. You can listen; plug one in and unmute to speak.",
    );
  }
}
