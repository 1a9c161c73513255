import { Suspense, lazy } from "react";
import { createRoot } from "react-dom/client";
import { LocaleProvider, useText } from "./shell/locale.jsx";
import { Newer } from "./shell/newer.jsx";
import { Link, Routes } from "./shell/router.jsx";
import "@fontsource/inter/latin-400.css";
import "@fontsource/inter/latin-700.css";
import "./styles.css";

const BUILD_LABEL = import.meta.env.VITE_BUILD_LABEL;

const ROUTES = [
  ["/", lazy(() => import("./pages/home.jsx"))],
  ["/products/:id", lazy(() => import("./pages/product.jsx"))],
  ["/cart", lazy(() => import("./pages/cart.jsx"))],
  ["/checkout", lazy(() => import("./pages/checkout.jsx"))],
  ["/about", lazy(() => import("./pages/about.jsx"))],
];

function App() {
  const text = useText();
  return (
    <>
      <header>
        <Link to="/" className="logo" aria-label={text("shop")} />
        <nav>
          <Link to="/">{text("home")}</Link>
          <Link to="/cart">{text("cart")}</Link>
          <Link to="/checkout">{text("checkout")}</Link>
          <Link to="/about">{text("about")}</Link>
        </nav>
      </header>
      <Newer />
      <main>
        <Suspense fallback={<p className="waiting">{text("waiting")}</p>}>
          <Routes table={ROUTES} missing={<h1>{text("missing")}</h1>} />
        </Suspense>
      </main>
      <footer>
        {text("build")} <strong id="build">{BUILD_LABEL}</strong>, {text("words")}{" "}
        <strong id="locale-build">{text("of_build")}</strong>
      </footer>
    </>
  );
}

createRoot(document.getElementById("root")).render(
  <LocaleProvider url="/locales/en.json">
    <App />
  </LocaleProvider>,
);
