// MD5, SHA-1, SHA-256 and HMAC over byte arrays. In JavaScript because an engine with a time limit may not call Python.
const __hashes = (function () {
  "use strict";

  function constants(count, root) {
    const found = new Int32Array(count);
    for (let n = 2, i = 0; i < count; n++) {
      let prime = true;
      for (let d = 2; d * d <= n; d++) if (n % d === 0) { prime = false; break; }
      if (prime) found[i++] = (root(n) % 1) * 4294967296;
    }
    return found;
  }
  const K256 = constants(64, Math.cbrt);
  const H256 = constants(8, Math.sqrt);
  const KMD5 = new Int32Array(64);
  for (let i = 0; i < 64; i++) KMD5[i] = Math.abs(Math.sin(i + 1)) * 4294967296;
  const SMD5 = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
  const W = new Int32Array(80);

  function padded(bytes, littleEndian) {
    const length = bytes.length;
    const total = ((length + 8) >> 6 << 6) + 64;
    const out = new Uint8Array(total);
    out.set(bytes);
    out[length] = 0x80;
    const view = new DataView(out.buffer);
    const high = Math.floor(length / 0x20000000);
    view.setUint32(total - (littleEndian ? 4 : 8), high, littleEndian);
    view.setUint32(total - (littleEndian ? 8 : 4), (length << 3) >>> 0, littleEndian);
    return view;
  }

  function words(state, littleEndian) {
    const out = new Uint8Array(state.length * 4);
    const view = new DataView(out.buffer);
    for (let i = 0; i < state.length; i++) view.setInt32(i * 4, state[i], littleEndian);
    return out;
  }

  function sha256(bytes) {
    const view = padded(bytes, false);
    const state = Int32Array.from(H256);
    for (let at = 0; at < view.byteLength; at += 64) {
      for (let i = 0; i < 16; i++) W[i] = view.getInt32(at + i * 4);
      for (let i = 16; i < 64; i++) {
        const x = W[i - 15], y = W[i - 2];
        W[i] = W[i - 16] + W[i - 7]
          + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3)
          + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10);
      }
      let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
      for (let i = 0; i < 64; i++) {
        const t = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + K256[i] + W[i] | 0;
        const u = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;
        h = g; g = f; f = e; e = d + t | 0; d = c; c = b; b = a; a = t + u | 0;
      }
      state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
    }
    return words(state, false);
  }

  function sha1(bytes) {
    const view = padded(bytes, false);
    const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
    for (let at = 0; at < view.byteLength; at += 64) {
      for (let i = 0; i < 16; i++) W[i] = view.getInt32(at + i * 4);
      for (let i = 16; i < 80; i++) {
        const x = W[i - 3] ^ W[i - 8] ^ W[i - 14] ^ W[i - 16];
        W[i] = x << 1 | x >>> 31;
      }
      let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
      for (let i = 0; i < 80; i++) {
        const f = i < 20 ? (b & c | ~b & d) + 0x5a827999
          : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
          : i < 60 ? (b & c | b & d | c & d) + 0x8f1bbcdc
          : (b ^ c ^ d) + 0xca62c1d6;
        const t = (a << 5 | a >>> 27) + f + e + W[i] | 0;
        e = d; d = c; c = b << 30 | b >>> 2; b = a; a = t;
      }
      state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e;
    }
    return words(state, false);
  }

  function md5(bytes) {
    const view = padded(bytes, true);
    const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
    for (let at = 0; at < view.byteLength; at += 64) {
      let a = state[0], b = state[1], c = state[2], d = state[3];
      for (let i = 0; i < 64; i++) {
        const round = i >> 4;
        const f = round === 0 ? b & c | ~b & d : round === 1 ? d & b | ~d & c : round === 2 ? b ^ c ^ d : c ^ (b | ~d);
        const g = round === 0 ? i : round === 1 ? (5 * i + 1) & 15 : round === 2 ? (3 * i + 5) & 15 : (7 * i) & 15;
        const t = a + f + KMD5[i] + view.getInt32(at + g * 4, true) | 0;
        const s = SMD5[round * 4 + (i & 3)];
        a = d; d = c; c = b; b = b + (t << s | t >>> (32 - s)) | 0;
      }
      state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    }
    return words(state, true);
  }

  const algorithms = { md5: md5, sha1: sha1, sha256: sha256 };

  function find(name) {
    const algorithm = algorithms[String(name).toLowerCase()];
    if (!algorithm) throw new TypeError("not supported algorithm: \"" + name + "\"");
    return algorithm;
  }

  function digest(name, bytes) {
    return find(name)(bytes);
  }

  function hmac(name, key, bytes) {
    const block = new Uint8Array(64);
    block.set(key.length > 64 ? digest(name, key) : key);
    const inner = new Uint8Array(64 + bytes.length);
    for (let i = 0; i < 64; i++) inner[i] = block[i] ^ 0x36;
    inner.set(bytes, 64);
    const hashed = digest(name, inner);
    const outer = new Uint8Array(64 + hashed.length);
    for (let i = 0; i < 64; i++) outer[i] = block[i] ^ 0x5c;
    outer.set(hashed, 64);
    return digest(name, outer);
  }

  return { find: find, digest: digest, hmac: hmac };
})();
