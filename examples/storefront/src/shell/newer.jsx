import { useEffect, useState } from "react";
import { useText } from "./locale.jsx";

// Not a file of this build: the site itself serves it, so the bundler leaves the address alone.
const CLIENT = "/_bluegreen/client.mjs";

/** Offers to reload a tab that was left open and finds a newer release when somebody comes back to it. */
export function Newer() {
  const text = useText();
  const [build, setBuild] = useState(null);
  useEffect(() => {
    let stop = () => {};
    async function comeBack() {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", comeBack);
      const { onNewRelease } = await import(/* @vite-ignore */ CLIENT);
      stop = onNewRelease(setBuild, { now: true });
    }
    document.addEventListener("visibilitychange", comeBack);
    return () => {
      document.removeEventListener("visibilitychange", comeBack);
      stop();
    };
  }, []);
  if (!build) return null;
  return (
    <p className="newer" role="status">
      {text("newer")}{" "}
      <button type="button" onClick={() => location.reload()}>
        {text("reload")}
      </button>
    </p>
  );
}
