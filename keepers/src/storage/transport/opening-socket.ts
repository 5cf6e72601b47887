import type { Socket } from "node:net";

/** Bytes of the request in which a page asks for a WebSocket; servers take no more of one. */
const mostHeadBytes = 1 << 14;
const headEnd = Buffer.from("\r\n\r\n");
const asksForWebSocket = /\r\nupgrade: *websocket *\r\n/i;

/**
 * Waits for the request that a socket begins with, and hands the socket on where that asks for a WebSocket and is all that has come.
 * The library would answer other requests, 2,500 of which fit into one read, in one turn of the event loop.
 */
export function onceAsked(socket: Socket, handOn: () => void): void {
  let head = Buffer.alloc(0);
  const look = (): void => {
    const more = socket.read() as Buffer | null;
    if (more === null) return;
    head = Buffer.concat([head, more]);
    const end = head.indexOf(headEnd);
    const isWhole = end >= 0 && end + headEnd.length === head.length;
    if (head.length > mostHeadBytes || (end >= 0 && !isWhole)) return void socket.destroy();
    if (!isWhole) return;
    if (!asksForWebSocket.test(head.toString("latin1"))) return void socket.destroy();
    socket.off("readable", look);
    socket.unshift(head);
    handOn();
  };
  // Nobody else listens yet, and what is not heard ends the process.
  socket.on("error", () => socket.destroy());
  socket.on("readable", look);
}
