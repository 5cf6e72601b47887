/**
 * Thread that takes the log of a database over into its pages, as far as nobody reads older ones, and ends. A log that has
 * nothing else is cut here: whoever writes next would have to, and a long file takes its time.
 */
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { workerData } from "node:worker_threads";

const file = pathToFileURL(workerData as string);
// A database that was removed meanwhile is not made anew.
file.search = "mode=rw";
const handle = new DatabaseSync(file);
const taken = handle.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
// Nobody is waited for; who begins to write meanwhile waits for this.
if (taken?.log === taken?.checkpointed) handle.exec("PRAGMA wal_checkpoint(TRUNCATE)");
handle.close();
