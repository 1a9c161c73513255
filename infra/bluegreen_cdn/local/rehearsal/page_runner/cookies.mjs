// The cookies of one visitor, as far as a release can tell them apart: by host, with the rules for __Host-, Secure,
// HttpOnly, SameSite and expiry. A host is trustworthy here, because everything is on loopback, as browsers see it too.

export class CookieJar {
  #hosts = new Map();

  /** Takes over cookies given by name and value, as if `host` had set them for all paths. */
  put(host, cookies) {
    for (const [name, value] of Object.entries(cookies ?? {})) {
      if (value === null) this.#of(host).delete(name);
      else
        this.#of(host).set(name, {
          value: String(value),
          path: "/",
          sameSite: "lax",
          httpOnly: true,
          expires: Infinity,
        });
    }
  }

  /** Stores one Set-Cookie header; what a browser would refuse is dropped. */
  store(url, header, { crossSite = false, fromScript = false } = {}) {
    const [pair, ...attributes] = header.split(";");
    const split = pair.indexOf("=");
    if (split < 1) return;
    const name = pair.slice(0, split).trim();
    const cookie = {
      value: pair.slice(split + 1).trim(),
      path: "/",
      sameSite: "lax",
      httpOnly: false,
      expires: Infinity,
    };
    let secure = false;
    let domain = false;
    let maxAge;
    for (const attribute of attributes) {
      const [key, ...rest] = attribute.split("=");
      const value = rest.join("=").trim();
      switch (key.trim().toLowerCase()) {
        case "path":
          cookie.path = value.startsWith("/") ? value : "/";
          break;
        case "samesite":
          cookie.sameSite = value.toLowerCase();
          break;
        case "httponly":
          cookie.httpOnly = true;
          break;
        case "secure":
          secure = true;
          break;
        case "domain":
          domain = value !== "";
          break;
        case "max-age":
          maxAge = Number(value);
          break;
        case "expires":
          cookie.expires = Date.parse(value) || 0;
          break;
      }
    }
    if (maxAge !== undefined) cookie.expires = Date.now() + maxAge * 1000;
    if (name.startsWith("__Host-") && (!secure || domain || cookie.path !== "/")) return;
    if (name.startsWith("__Secure-") && !secure) return;
    if (fromScript && cookie.httpOnly) return;
    if (crossSite && !(cookie.sameSite === "none" && secure)) return;
    const jar = this.#of(url.host);
    if (cookie.expires <= Date.now()) jar.delete(name);
    else jar.set(name, cookie);
  }

  /** The Cookie header for a request, or null when there is nothing to send. */
  header(url, { crossSite = false, topLevel = false } = {}) {
    return join(
      this.#sent(url).filter(
        ([, { sameSite }]) => !crossSite || sameSite === "none" || (topLevel && sameSite === "lax"),
      ),
    );
  }

  /** What `document.cookie` reads. */
  visibleToScript(url) {
    return join(this.#sent(url).filter(([, { httpOnly }]) => !httpOnly)) ?? "";
  }

  /** Name and value of all cookies of a host. */
  all(host) {
    return Object.fromEntries([...this.#of(host)].map(([name, { value }]) => [name, value]));
  }

  #of(host) {
    if (!this.#hosts.has(host)) this.#hosts.set(host, new Map());
    return this.#hosts.get(host);
  }

  #sent(url) {
    return [...this.#of(url.host)].filter(
      ([, { path, expires }]) =>
        expires > Date.now() &&
        (url.pathname === path || url.pathname.startsWith(path.endsWith("/") ? path : `${path}/`)),
    );
  }
}

function join(cookies) {
  return cookies.length ? cookies.map(([name, { value }]) => `${name}=${value}`).join("; ") : null;
}
