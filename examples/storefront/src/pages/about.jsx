import { useText } from "@/shell/locale.jsx";

export default function About() {
  const text = useText();
  return (
    <>
      <h1>{text("about")}</h1>
      <p>{text("story")}</p>
    </>
  );
}
