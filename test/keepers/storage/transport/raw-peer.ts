import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { afterEach } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Connection, StreamMuxer } from "@libp2p/interface";
import {
  createHost,
  type Host,
  type HostParameters,
} from "../../../../keepers/src/storage/transport/host.ts";

export const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const action of cleanUp.splice(0).reverse()) await action();
});

export async function node(listen: string[] = [], parameters: HostParameters = {}): Promise<Host> {
  const host = await createHost({ localNetwork: true, listen, ...parameters });
  cleanUp.push(() => host.stop());
  return host;
}

/** A socket that has not said anything yet. */
export async function socketTo(host: Host): Promise<Socket> {
  const port = host
    .getMultiaddrs()[0]!
    .getComponents()
    .find(({ name }) => name === "tcp")?.value;
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("error", () => undefined);
  cleanUp.push(() => socket.destroy());
  await new Promise((done) => socket.once("connect", done));
  return socket;
}

export async function isClosed(socket: Socket, seconds: number): Promise<boolean> {
  for (let tries = 0; !socket.destroyed && tries < 20 * seconds; tries++) await delay(50);
  return socket.destroyed;
}

/** The frame of a WebSocket in which a peer sends something, of so many bytes. */
export function webSocketFrame(isLast: boolean, opcode: number, bytes: number): Buffer {
  const head = bytes < 126 ? [0x80 | bytes] : [0x80 | 127, 0, 0, 0, 0, ...bytesOf(bytes)];
  return Buffer.of((isLast ? 0x80 : 0) | opcode, ...head, 0, 0, 0, 0);
}

function bytesOf(value: number): number[] {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
}

/** A socket that has become a WebSocket, and has said nothing on it yet. */
export async function webSocketTo(host: Host): Promise<Socket> {
  const socket = await socketTo(host);
  socket.setNoDelay(true);
  const key = Buffer.alloc(16).toString("base64");
  const lines = [
    "GET / HTTP/1.1",
    "Host: a",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
  ];
  socket.write([...lines, `Sec-WebSocket-Key: ${key}`, "", ""].join("\r\n"));
  const [answer] = await new Promise<[Buffer]>((done) => socket.once("data", (data) => done([data])));
  assert.match(answer.toString(), /^HTTP\/1.1 101/);
  return socket;
}

export const types = { data: 0, windowUpdate: 1, ping: 2 } as const;
export const flags = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;

/** The head of a frame of the muxer. */
export function header(type: number, flag: number, stream: number, length: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes[1] = type;
  bytes.writeUInt16BE(flag, 2);
  bytes.writeUInt32BE(stream, 4);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}

/** A line of the negotiation of protocols, with its length. */
export function line(text: string): Buffer {
  const bytes = Buffer.from(`${text}\n`);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

/** A connection whose frames of the muxer are written by hand; what comes is not read. */
export type Raw = { readonly host: Host; readonly connection: Connection; send(frames: Uint8Array): void };

export async function rawPeer(keeper: Host): Promise<Raw> {
  const host = await node();
  const connection = await host.dial(keeper.getMultiaddrs()[0]!);
  const { muxer } = connection as unknown as {
    muxer: StreamMuxer & { onData: unknown; maConn: { send(bytes: Uint8Array): boolean } };
  };
  muxer.onData = () => undefined;
  return { host, connection, send: (frames) => void muxer.maConn.send(frames) };
}
