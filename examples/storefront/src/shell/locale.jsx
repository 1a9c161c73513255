import { createContext, useContext, useEffect, useState } from "react";

const Words = createContext(null);

/** Fetches the words once; the page waits for them, as for any file without which it cannot be shown. */
export function LocaleProvider({ url, children }) {
  const [words, setWords] = useState(null);
  const [failure, setFailure] = useState(null);
  useEffect(() => {
    let current = true;
    fetch(url)
      .then((response) => {
        if (!response.ok) throw new Error(`${url} answered ${response.status}`);
        return response.json();
      })
      .then(
        (loaded) => current && setWords(loaded),
        (error) => current && setFailure(error),
      );
    return () => {
      current = false;
    };
  }, [url]);
  if (failure) throw failure;
  return words && <Words.Provider value={words}>{children}</Words.Provider>;
}

export function useText() {
  const words = useContext(Words);
  return (key) => words[key] ?? key;
}
