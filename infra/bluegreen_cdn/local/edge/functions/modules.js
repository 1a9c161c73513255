// The built-in objects and modules of CloudFront Functions runtime 2.0, as far as functions use them.
const __modules = (function () {
  "use strict";
  const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const VALUES = {};
  for (let i = 0; i < 64; i++) VALUES[ALPHABET[i]] = i;
  VALUES["-"] = 62;
  VALUES["_"] = 63;

  function utf8(text) {
    const out = [];
    for (const character of String(text)) {
      const code = character.codePointAt(0);
      if (code < 0x80) out.push(code);
      else if (code < 0x800) out.push(0xc0 | code >> 6, 0x80 | code & 63);
      else if (code >= 0xd800 && code < 0xe000) out.push(0xef, 0xbf, 0xbd);
      else if (code < 0x10000) out.push(0xe0 | code >> 12, 0x80 | code >> 6 & 63, 0x80 | code & 63);
      else out.push(0xf0 | code >> 18, 0x80 | code >> 12 & 63, 0x80 | code >> 6 & 63, 0x80 | code & 63);
    }
    return Uint8Array.from(out);
  }

  function text(bytes) {
    let out = "";
    for (let i = 0; i < bytes.length;) {
      const first = bytes[i];
      const size = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3
        : first >= 0xf0 && first < 0xf5 ? 4 : 0;
      let code = size === 1 ? first : first & (0x7f >> size);
      let good = size > 0 && i + size <= bytes.length;
      for (let j = 1; good && j < size; j++) {
        good = (bytes[i + j] & 0xc0) === 0x80;
        code = code << 6 | bytes[i + j] & 63;
      }
      good = good && !(size === 3 && (code < 0x800 || code >= 0xd800 && code < 0xe000))
        && !(size === 4 && (code < 0x10000 || code > 0x10ffff));
      out += good ? String.fromCodePoint(code) : "\ufffd";
      i += good ? size : 1;
    }
    return out;
  }

  function latin(bytes) {
    let out = "";
    for (let i = 0; i < bytes.length; i++) out += String.fromCharCode(bytes[i]);
    return out;
  }

  function hex(bytes) {
    let out = "";
    for (let i = 0; i < bytes.length; i++) out += (bytes[i] < 16 ? "0" : "") + bytes[i].toString(16);
    return out;
  }

  function unhex(value) {
    const out = [];
    for (let i = 0; i + 1 < value.length; i += 2) {
      const pair = value.slice(i, i + 2);
      if (!/^[0-9a-fA-F]{2}$/.test(pair)) break;
      out.push(parseInt(pair, 16));
    }
    return Uint8Array.from(out);
  }

  function base64(bytes, url) {
    let out = "";
    for (let i = 0; i < bytes.length; i += 3) {
      const n = bytes[i] << 16 | (bytes[i + 1] || 0) << 8 | (bytes[i + 2] || 0);
      out += ALPHABET[n >> 18] + ALPHABET[n >> 12 & 63]
        + (i + 1 < bytes.length ? ALPHABET[n >> 6 & 63] : "=") + (i + 2 < bytes.length ? ALPHABET[n & 63] : "=");
    }
    return url ? out.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "") : out;
  }

  function unbase64(value) {
    const out = [];
    let bits = 0, size = 0;
    for (let i = 0; i < value.length; i++) {
      const found = VALUES[value[i]];
      if (found === undefined) continue;
      bits = (bits << 6 | found) & 0xffffff;
      size += 6;
      if (size >= 8) { size -= 8; out.push(bits >> size & 255); }
    }
    return Uint8Array.from(out);
  }

  function encode(bytes, encoding) {
    switch (encoding) {
      case undefined: case "utf8": case "utf-8": return text(bytes);
      case "hex": return hex(bytes);
      case "base64": return base64(bytes, false);
      case "base64url": return base64(bytes, true);
      case "binary": case "latin1": return latin(bytes);
      default: throw new TypeError("unknown encoding: \"" + encoding + "\"");
    }
  }

  function decode(value, encoding) {
    switch (encoding) {
      case undefined: case "utf8": case "utf-8": return utf8(value);
      case "hex": return unhex(value);
      case "base64": case "base64url": return unbase64(value);
      case "binary": case "latin1": return Uint8Array.from(value, function (c) { return c.charCodeAt(0) & 255; });
      default: throw new TypeError("unknown encoding: \"" + encoding + "\"");
    }
  }

  class Buffer extends Uint8Array {
    static from(value, encoding) {
      const bytes = typeof value === "string" ? decode(value, encoding) : Uint8Array.from(value);
      return new Buffer(bytes.buffer);
    }
    static alloc(size, fill) { const made = new Buffer(size); if (fill !== undefined) made.fill(fill); return made; }
    static isBuffer(value) { return value instanceof Buffer; }
    static byteLength(value, encoding) { return typeof value === "string" ? decode(value, encoding).length : value.length; }
    static concat(list) {
      const made = new Buffer(list.reduce(function (sum, part) { return sum + part.length; }, 0));
      let at = 0;
      for (const part of list) { made.set(part, at); at += part.length; }
      return made;
    }
    static compare(a, b) {
      for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
      return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
    }
    equals(other) { return Buffer.compare(this, other) === 0; }
    toString(encoding) { return encode(this, encoding); }
    toJSON() { return { type: "Buffer", data: Array.from(this) }; }
  }

  function bytesOf(value) {
    if (typeof value === "string") return utf8(value);
    if (value instanceof Uint8Array) return value;
    throw new TypeError("data is not a string or Buffer-like object");
  }

  function hashing(finish) {
    const parts = [];
    let done = false;
    return {
      update: function (data, encoding) {
        if (done) throw new Error("Digest already called");
        parts.push(typeof data === "string" ? decode(data, encoding) : bytesOf(data));
        return this;
      },
      digest: function (encoding) {
        if (done) throw new Error("Digest already called");
        done = true;
        const found = Buffer.from(finish(parts.length === 1 ? parts[0] : Buffer.concat(parts)));
        return encoding === undefined ? found : encode(found, encoding);
      },
    };
  }

  const crypto = {
    createHash: function (name) {
      return hashing(__hashes.find(name));
    },
    createHmac: function (name, key) {
      const secret = bytesOf(key);
      __hashes.find(name);
      return hashing(function (data) { return __hashes.hmac(name, secret, data); });
    },
  };

  const querystring = {
    escape: encodeURIComponent,
    unescape: function (value) { try { return decodeURIComponent(value); } catch (error) { return value; } },
    parse: function (value, separator, equals) {
      const found = {};
      for (const part of String(value).split(separator || "&")) {
        if (!part) continue;
        const at = part.indexOf(equals || "=");
        const name = querystring.unescape((at < 0 ? part : part.slice(0, at)).replace(/\+/g, " "));
        const item = at < 0 ? "" : querystring.unescape(part.slice(at + 1).replace(/\+/g, " "));
        if (!(name in found)) found[name] = item;
        else if (Array.isArray(found[name])) found[name].push(item);
        else found[name] = [found[name], item];
      }
      return found;
    },
    stringify: function (object, separator, equals) {
      const parts = [];
      for (const name of Object.keys(object)) {
        for (const item of [].concat(object[name])) {
          parts.push(querystring.escape(name) + (equals || "=") + querystring.escape(String(item)));
        }
      }
      return parts.join(separator || "&");
    },
  };
  querystring.decode = querystring.parse;
  querystring.encode = querystring.stringify;

  globalThis.Buffer = Buffer;
  globalThis.btoa = function (value) { return base64(decode(String(value), "latin1"), false); };
  globalThis.atob = function (value) { return latin(unbase64(String(value))); };
  globalThis.TextEncoder = class { encode(value) { return utf8(value === undefined ? "" : value); } };
  globalThis.TextDecoder = class { decode(value) { return value === undefined ? "" : text(value); } };

  return { crypto: crypto, querystring: querystring, buffer: { Buffer: Buffer } };
})();
