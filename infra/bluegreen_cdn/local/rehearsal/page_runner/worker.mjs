// The process in which pages run: messages in, reports out. The runner replaces it when it grows, hangs or dies.

import { Session, complaint } from "./session.mjs";

const sessions = new Map();
const HEARTBEAT_MS = 500;

process.on("message", async (message) => {
  const { id } = message;
  let session = sessions.get(id);
  const wrong = complaint(message, Boolean(session?.page) && message.url === undefined);
  if (wrong) {
    process.send({ refused: id, failure: wrong, open: session !== undefined });
    return;
  }
  if (!session) sessions.set(id, (session = new Session(id)));
  const report = await session.run(message);
  if (!report.open) sessions.delete(id);
  process.send({ report, rss: process.memoryUsage.rss() });
});

// Promises belong to the page whose realm made them, or whose error they carry.
process.on("unhandledRejection", (reason, promise) => {
  for (const { page } of sessions.values()) {
    if (page?.window?.document && (page.owns(promise) || page.owns(reason))) {
      page.rejected(page.translate(reason), promise);
      return;
    }
  }
  if (!(reason?.name === "AbortError"))
    process.stderr.write(`page runner: rejection of no page: ${reason?.stack ?? reason}\n`);
});
process.on("uncaughtException", (error) =>
  process.stderr.write(`page runner: exception of no page: ${error?.stack ?? error}\n`),
);
process.on("disconnect", () => process.exit(0));
setInterval(() => process.send({ alive: true }), HEARTBEAT_MS).unref();
process.send({ ready: true });
