// Harmless stand-ins for what browsers have and jsdom lacks, so that a page does not fail here that works in a browser:
// interfaces that scripts only compare with, things with a meaning on a screen, and things that would leave this process.

const SVG_GRAPHICS =
  "A Circle Ellipse ForeignObject Geometry Image Line Path Polygon Polyline Rect Text TextContent TextPath TSpan Use";
const SVG_OTHERS =
  "Animate AnimateMotion AnimateTransform Animation ClipPath FEBlend FEColorMatrix FEComposite FEFlood FEGaussianBlur " +
  "FEImage FEMerge FEMergeNode FEOffset FETile FETurbulence Filter Gradient LinearGradient Marker Mask MPath Pattern " +
  "RadialGradient Script Set Stop Style View";
const EVENTS =
  "Animation Clipboard Command Drag FormData MediaQueryList PageReveal PageSwap PictureInPicture " +
  "SecurityPolicyViolation Toggle Track";
const OTHERS =
  "Animation AnimationEffect BroadcastChannel CanvasGradient CanvasPattern CanvasRenderingContext2D Credential " +
  "CryptoKey DataTransfer DataTransferItem DataTransferItemList DOMMatrix DOMMatrixReadOnly DOMPoint DOMPointReadOnly " +
  "DOMQuad FontFaceSet IdleDeadline ImageBitmap ImageData IntersectionObserverEntry KeyframeEffect MediaError " +
  "MediaQueryList MediaSource MediaStream MediaStreamTrack MessagePort Notification OffscreenCanvas Path2D " +
  "PerformanceEntry PerformanceNavigationTiming PerformanceResourceTiming PublicKeyCredential ResizeObserverEntry " +
  "ScreenOrientation StylePropertyMap TimeRanges Touch TouchList ViewTransition VisualViewport";

const nothing = () => {};

export function installStandIns(window, page) {
  installInterfaces(window);
  installObservers(window);
  installChannels(window, page);
  installScreen(window);
  installElements(window);
}

/** Adds what is missing of `members`, and leaves what jsdom has. */
function add(target, members) {
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(members))) {
    if (!(name in target)) Object.defineProperty(target, name, { ...descriptor, enumerable: false });
  }
}

function installInterfaces(window) {
  const define = (names, suffix, parent) => {
    for (const name of names.split(" ").map((stem) => stem + suffix)) {
      if (!(name in window)) add(window, { [name]: { [name]: class extends parent {} }[name] });
    }
  };
  define(SVG_GRAPHICS.replace(/\b(?=\w)/g, "SVG"), "Element", window.SVGGraphicsElement ?? window.SVGElement);
  define(SVG_OTHERS.replace(/\b(?=\w)/g, "SVG"), "Element", window.SVGElement);
  define("MathML", "Element", window.Element);
  define(EVENTS, "Event", window.Event);
  define(OTHERS, "", window.EventTarget);
}

function installObservers(window) {
  class Observer {
    constructor(callback) {
      this.callback = callback;
    }
    observe = nothing;
    unobserve = nothing;
    disconnect = nothing;
    takeRecords = () => [];
  }
  add(window, {
    ResizeObserver: class ResizeObserver extends Observer {},
    ReportingObserver: class ReportingObserver extends Observer {},
    // Everything is on the screen here, so what loads when it becomes visible loads.
    IntersectionObserver: class IntersectionObserver extends Observer {
      observe = (target) => {
        const seen = { target, isIntersecting: true, intersectionRatio: 1, time: window.performance.now() };
        window.setTimeout(() => this.callback([seen], this), 0);
      };
    },
  });
}

/** Message channels within the page; sockets and workers that never say anything, because nothing may leave the page. */
function installChannels(window, page) {
  const deliver = (port, data) =>
    window.setTimeout(() => port.dispatchEvent(new window.MessageEvent("message", { data })), 0);
  class Port extends window.EventTarget {
    #handler = null;
    get onmessage() {
      return this.#handler;
    }
    set onmessage(handler) {
      if (this.#handler) this.removeEventListener("message", this.#handler);
      this.#handler = handler;
      if (handler) this.addEventListener("message", handler);
    }
    postMessage(data) {
      if (this.other) deliver(this.other, globalThis.structuredClone(data));
    }
    start = nothing;
    close = nothing;
  }
  class Silent extends window.EventTarget {
    readyState = 0;
    postMessage = nothing;
    send = nothing;
    close = nothing;
    terminate = nothing;
  }
  const worker = (url, self) => {
    const address = new URL(url, window.document.baseURI).href;
    const failed = () => self.dispatchEvent(new window.Event("error"));
    const loading = page.resource(address, { kind: "worker", mode: "no-cors" });
    page.work(loading).then(({ status }) => status > 399 && failed(), failed);
  };
  delete window.WebSocket;
  add(window, {
    MessageChannel: class MessageChannel {
      constructor() {
        [this.port1, this.port2] = [new Port(), new Port()];
        [this.port1.other, this.port2.other] = [this.port2, this.port1];
      }
    },
    WebSocket: class WebSocket extends Silent {},
    EventSource: class EventSource extends Silent {},
    Worker: class Worker extends Silent {
      constructor(url) {
        super();
        worker(url, this);
      }
    },
  });
}

function installScreen(window) {
  const { document } = window;
  add(window, {
    isSecureContext: true,
    closed: false,
    opener: null,
    visualViewport: Object.assign(new window.EventTarget(), { width: 1024, height: 768, scale: 1, offsetTop: 0 }),
    CSS: { supports: () => true, escape: (text) => String(text).replace(/[^\w-]|^(?=\d)/g, "\\$&") },
    matchMedia: (media) =>
      Object.assign(new window.EventTarget(), { matches: false, media, addListener: nothing, removeListener: nothing }),
    requestIdleCallback: (callback) =>
      window.setTimeout(() => callback({ didTimeout: false, timeRemaining: () => 50 }), 1),
    cancelIdleCallback: (handle) => window.clearTimeout(handle),
  });
  for (const name of ["scroll", "scrollTo", "scrollBy", "alert", "print", "focus", "blur"]) window[name] = nothing;
  add(document, {
    fonts: Object.assign(new window.EventTarget(), {
      status: "loaded",
      ready: window.Promise.resolve(),
      load: () => window.Promise.resolve([]),
      check: () => true,
      add: nothing,
    }),
    adoptedStyleSheets: [],
    scrollingElement: null,
    fullscreenElement: null,
    elementFromPoint: () => null,
    elementsFromPoint: () => [],
    getAnimations: () => [],
    execCommand: () => false,
  });
}

function installElements(window) {
  const { Element, HTMLElement, HTMLMediaElement, HTMLDialogElement, MouseEvent } = window;
  // Routers look at it to tell plain clicks from others.
  Object.defineProperty(MouseEvent.prototype, "which", {
    configurable: true,
    get() {
      return this.button + 1;
    },
  });
  const finished = (animation) => {
    animation.finished = new window.Promise((resolve) => {
      window.setTimeout(() => {
        resolve(animation);
        animation.onfinish?.(new window.Event("finish"));
        animation.dispatchEvent(new window.Event("finish"));
      }, 0);
    });
    return animation;
  };
  const still = { playState: "finished", cancel: nothing, finish: nothing, play: nothing, pause: nothing };
  add(Element.prototype, {
    animate: () => finished(Object.assign(new window.EventTarget(), still)),
    getAnimations: () => [],
    checkVisibility: () => true,
    scroll: nothing,
    scrollBy: nothing,
    scrollTo: nothing,
    scrollIntoView: nothing,
    setPointerCapture: nothing,
    releasePointerCapture: nothing,
    hasPointerCapture: () => false,
    requestFullscreen: () => window.Promise.resolve(),
    getHTML() {
      return this.innerHTML;
    },
  });
  add(HTMLElement.prototype, {
    get innerText() {
      return visibleText(this);
    },
    set innerText(text) {
      this.textContent = text;
    },
    showPopover: nothing,
    hidePopover: nothing,
    togglePopover: nothing,
  });
  Object.assign(HTMLMediaElement.prototype, { play: () => window.Promise.resolve(), pause: nothing, load: nothing });
  add(HTMLDialogElement.prototype, {
    show() {
      this.open = true;
    },
    showModal() {
      this.open = true;
    },
    close() {
      this.open = false;
      this.dispatchEvent(new window.Event("close"));
    },
  });
}

/** The text of a node without scripts, styles and templates; layout is not looked at. */
export function visibleText(node) {
  if (node.nodeType === node.TEXT_NODE) return node.data;
  if (/^(script|style|noscript|template)$/i.test(node.localName ?? "")) return "";
  return [...node.childNodes].map(visibleText).join("");
}
