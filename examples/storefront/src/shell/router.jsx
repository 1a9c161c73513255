import { useEffect, useState } from "react";

const MOVED = "storefront:moved";

/** A link that changes the route without loading a document; modified clicks stay the browser's. */
export function Link({ to, children, ...rest }) {
  const follow = (event) => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    history.pushState(null, "", to);
    dispatchEvent(new Event(MOVED));
  };
  return (
    <a href={to} onClick={follow} {...rest}>
      {children}
    </a>
  );
}

/** The page for the present path: `table` is a list of [pattern, component], `:name` in a pattern becomes a prop. */
export function Routes({ table, missing }) {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const moved = () => setPath(location.pathname);
    addEventListener("popstate", moved);
    addEventListener(MOVED, moved);
    return () => {
      removeEventListener("popstate", moved);
      removeEventListener(MOVED, moved);
    };
  }, []);
  for (const [pattern, Page] of table) {
    const parameters = match(pattern, path);
    if (parameters) return <Page key={path} {...parameters} />;
  }
  return missing;
}

function match(pattern, path) {
  const wanted = pattern.split("/");
  const given = path.replace(/(.)\/$/, "$1").split("/");
  if (wanted.length !== given.length) return null;
  const parameters = {};
  for (const [index, part] of wanted.entries()) {
    if (part.startsWith(":")) parameters[part.slice(1)] = decodeURIComponent(given[index]);
    else if (part !== given[index]) return null;
  }
  return parameters;
}
