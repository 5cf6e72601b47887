import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordReader } from "../../../../keepers/src/storage/transport/encryption.ts";
import { TransportError } from "../../../../keepers/src/storage/transport/errors.ts";
import { ConnectionRates, FrameRate } from "../../../../keepers/src/storage/transport/frame-rate.ts";
import { FrameGuard } from "../../../../keepers/src/storage/transport/muxer.ts";
import { generator } from "../random.ts";

const window = 1 << 20;
const own = (
  rates = new ConnectionRates(),
  peer = "registered",
  direction: "inbound" | "outbound" = "inbound",
) => rates.of(peer, direction);
const endlessly = () => new FrameRate("frames", { burst: 1e9, perSecond: 1 });
const [data, windowUpdate] = [0, 1];
const [syn, fin] = [1, 4];

function header(type: number, flags: number, stream: number, length: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes[1] = type;
  bytes.writeUInt16BE(flags, 2);
  bytes.writeUInt32BE(stream, 4);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}

/** What a guard hands on, taken apart again: what each stream was sent, and the flags in their order. */
function received(pieces: readonly Uint8Array[]) {
  const bytes = Buffer.concat(pieces);
  const streams = new Map<number, { bytes: Buffer; flags: number[] }>();
  for (let at = 0; at < bytes.length; ) {
    const [type, flags] = [bytes[at + 1]!, bytes.readUInt16BE(at + 2)];
    const [id, length] = [bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 8)];
    const stream = streams.get(id) ?? { bytes: Buffer.alloc(0), flags: [] };
    const end = at + 12 + (type === data ? length : 0);
    if (type === data) stream.bytes = Buffer.concat([stream.bytes, bytes.subarray(at + 12, end)]);
    if (flags !== 0) stream.flags.push(flags);
    streams.set(id, stream);
    at = end;
  }
  return streams;
}

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

describe("frames of a connection", () => {
  for (const size of [1, 5, 13, 1000, 65_519, 1_000_000]) {
    it(`arrive as they were sent, in pieces of ${size} bytes`, () => {
      const random = generator(size);
      const long = random.bytes(size < 100 ? 5_000 : 300_000);
      const short = random.bytes(7);
      const sent = Buffer.concat([
        header(windowUpdate, syn, 1, 0),
        header(data, 0, 1, long.length),
        long,
        header(data, syn | fin, 3, short.length),
        short,
        header(data, fin, 1, 0),
        header(windowUpdate, fin, 5, 77),
      ]);
      const handed: Uint8Array[] = [];
      const guard = new FrameGuard(window, own(), (bytes) => handed.push(bytes as Uint8Array));
      for (const piece of cut(sent, size)) guard.add(piece);
      const streams = received(handed);
      assert.ok(streams.get(1)!.bytes.equals(long));
      assert.ok(streams.get(3)!.bytes.equals(short));
      assert.deepEqual(
        [...streams].map(([id, { flags }]) => [id, flags]),
        [
          [1, [syn, fin]],
          [3, [syn | fin]],
          [5, [fin]],
        ],
      );
    });
  }

  it("open their stream with the first part of a long one, and close it with the last", () => {
    const handed: Uint8Array[] = [];
    const guard = new FrameGuard(window, own(), (bytes) => handed.push(bytes as Uint8Array));
    for (const piece of cut(
      Buffer.concat([header(data, syn | fin, 1, 90_000), Buffer.alloc(90_000)]),
      20_000,
    )) {
      guard.add(piece);
    }
    const headers = handed.filter((_, i) => i % 2 === 0).map((each) => Buffer.from(each).readUInt16BE(2));
    assert.ok(headers.length > 2);
    assert.deepEqual([headers[0], headers.at(-1)], [syn, fin]);
    assert.ok(headers.slice(1, -1).every((flags) => flags === 0));
  });

  it("attack: end the connection where one is longer than a stream's window, before anything of it is kept", () => {
    const guard = new FrameGuard(window, own(), () => assert.fail("nothing is handed on"));
    assert.throws(() => guard.add(header(data, 0, 99_999, window + 1)), TransportError);
  });

  it("attack: take time by their bytes, however short the pieces are that they come in", () => {
    let bytes = 0;
    const guard = new FrameGuard(window, { frames: endlessly(), streams: endlessly() }, (part) => {
      bytes += part.byteLength;
    });
    guard.add(header(data, 0, 99_999, 200_000));
    const began = performance.now();
    for (let i = 0; i < 200_000; i++) guard.add(new Uint8Array(1));
    assert.ok(performance.now() - began < 1000, `${performance.now() - began} ms`);
    // Each part has a header of its own.
    assert.ok(bytes >= 200_000 && bytes < 201_000, `${bytes} bytes`);
  });

  it("attack: hold on to no record that they came in, where they are short", () => {
    const handed: Uint8Array[] = [];
    const guard = new FrameGuard(window, own(), (bytes) => handed.push(bytes as Uint8Array));
    const record = Buffer.concat([
      header(data, 0, 1, 1),
      Buffer.of(7),
      header(data, 0, 99, 65_000),
      Buffer.alloc(65_000),
    ]);
    guard.add(record);
    assert.deepEqual([handed[1]![0], handed[1]!.buffer.byteLength < 1000], [7, true]);
  });

  it("attack: end the connection when they come without end, pings among them, or open streams without end", () => {
    const endless = (frame: Uint8Array, most: number) => {
      const guard = new FrameGuard(window, own(), () => undefined);
      let taken = 0;
      assert.throws(() => {
        for (; taken < 100_000; taken++) guard.add(frame);
      }, TransportError);
      assert.ok(taken <= most, `${taken} frames`);
    };
    endless(header(2, syn, 0, 1), 10_000);
    endless(header(windowUpdate, syn, 1, 0), 4_000);
  });
});

describe("frames of strangers", () => {
  it("attack: are few in all, under however many names, and leave registered peers theirs", () => {
    const rates = new ConnectionRates((peer) => peer === "registered");
    let taken = 0;
    for (let name = 0; name < 100; name++) {
      const guard = new FrameGuard(window, own(rates, `stranger ${name}`), () => undefined);
      try {
        for (let i = 0; i < 10_000; i++, taken++) guard.add(header(2, syn, 0, 1));
      } catch (error) {
        assert.ok(error instanceof TransportError);
      }
    }
    assert.ok(taken > 100_000 && taken < 250_000, `${taken} frames`);
    const guard = new FrameGuard(window, own(rates), () => undefined);
    for (let i = 0; i < 7_000; i++) guard.add(header(windowUpdate, 0, 1, 1));
  });

  it("are not those of a peer that this node has dialled", () => {
    const rates = new ConnectionRates(() => false);
    const guard = new FrameGuard(window, own(rates, "provider", "outbound"), () => undefined);
    for (let i = 0; i < 7_000; i++) guard.add(header(windowUpdate, 0, 1, 1));
    const stranger = new FrameGuard(window, own(rates, "stranger"), () => undefined);
    for (let i = 0; i < 9_000; i++) stranger.add(header(windowUpdate, 0, 1, 1));
  });

  it("are not counted where they bring data, however much a stranger sends", () => {
    const rates = new ConnectionRates(() => false);
    const guard = new FrameGuard(window, own(rates, "stranger"), () => undefined);
    const frame = Buffer.concat([header(data, 0, 1, 4096), Buffer.alloc(4096)]);
    for (let i = 0; i < 20_000; i++) guard.add(frame);
  });
});

describe("records of Noise", () => {
  const framed = (record: Uint8Array) =>
    Buffer.concat([Buffer.of(record.length >> 8, record.length & 0xff), record]);

  for (const size of [1, 2, 3, 100, 70_000]) {
    it(`are read as they were written, in pieces of ${size} bytes`, () => {
      const random = generator(size + 1);
      const records = [
        random.bytes(1),
        random.bytes(300),
        random.bytes(size < 100 ? 3_000 : 65_535),
        random.bytes(17),
      ];
      const reader = new RecordReader(own().pieces);
      const bytes = Buffer.concat([...records.map(framed), framed(new Uint8Array(0)), framed(records[0]!)]);
      const read = cut(bytes, size).flatMap((piece) => [...reader.decode(piece)].map((each) => each.slice()));
      assert.equal(read.length, 5);
      for (const [i, record] of [...records, records[0]!].entries()) {
        assert.ok(Buffer.from(record).equals(read[i]!), `record ${i}`);
      }
    });
  }

  it("attack: take time by their bytes, however short the pieces are that they come in", () => {
    const reader = new RecordReader(endlessly());
    const record = framed(new Uint8Array(65_535));
    let read = 0;
    const began = performance.now();
    for (let i = 0; i < 3; i++) {
      for (const byte of record) for (const each of reader.decode(Uint8Array.of(byte))) read += each.length;
    }
    assert.ok(performance.now() - began < 1000, `${performance.now() - began} ms`);
    assert.equal(read, 3 * 65_535);
  });

  it("attack: end the connection when too many short pieces come", () => {
    const reader = new RecordReader(own().pieces);
    let read = 0;
    assert.throws(() => {
      for (; read < 100_000; read++) {
        for (const _ of reader.decode(Uint8Array.of(0xff))) assert.fail("no record is whole");
      }
    }, TransportError);
    assert.ok(read > 7_000 && read < 20_000, `${read} pieces`);
  });
});
