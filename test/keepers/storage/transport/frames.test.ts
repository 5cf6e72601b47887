import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { MessageStream } from "@libp2p/interface";
import { Allowance } from "../../../../keepers/src/storage/transport/allowance.ts";
import { RecordReader } from "../../../../keepers/src/storage/transport/encryption.ts";
import { TransportError } from "../../../../keepers/src/storage/transport/errors.ts";
import {
  ConnectionRates,
  FrameRate,
  type OwnRates,
} from "../../../../keepers/src/storage/transport/frame-rate.ts";
import { FrameGuard } from "../../../../keepers/src/storage/transport/muxer.ts";
import { Brake } from "../../../../keepers/src/storage/transport/turns.ts";
import { generator } from "../random.ts";
import { flags, header, types } from "./raw-peer.ts";

const window = 1 << 20;
const own = (
  rates = new ConnectionRates(),
  peer = "registered",
  direction: "inbound" | "outbound" = "inbound",
  net?: string,
) => rates.of(peer, direction, net);
const endlessly = () => new FrameRate("frames", new Allowance({ burst: 1e9, perSecond: 1 }));

/** A connection that is read or not, and ends with an error. */
class Connection {
  readonly status = "open";
  readStatus = "readable";
  isFull = false;
  error: Error | undefined;
  readonly brake = new Brake(this as unknown as MessageStream);
  addEventListener(): void {}
  pause(): void {
    this.readStatus = "paused";
  }
  resume(): void {
    this.readStatus = "readable";
  }
  readonly onError = (error: Error): void => {
    this.error = error;
  };

  /** Gives pieces to whatever takes them apart as they are read. @returns how many were */
  async bring(
    pieces: Iterable<Uint8Array>,
    to: { add(piece: Uint8Array): void },
    most = 5000,
  ): Promise<number> {
    const until = performance.now() + most;
    let read = 0;
    for (const piece of pieces) {
      while (this.readStatus === "paused" && this.error === undefined && performance.now() < until) {
        await new Promise((done) => setImmediate(done));
      }
      if (this.error !== undefined) throw this.error;
      if (performance.now() >= until) break;
      to.add(piece);
      read++;
    }
    // What was read last may be taken apart later.
    for (let i = 0; i < 3; i++) await new Promise((done) => setImmediate(done));
    return read;
  }
}

function guarded(
  receive: (bytes: Uint8Array) => void,
  rates: Pick<OwnRates, "frames" | "streams"> = own(),
  mostBytes = window,
) {
  const connection = new Connection();
  const { brake, onError } = connection;
  const guard = new FrameGuard({
    ...{ mostBytes, rates, brake, onError },
    hasStream: (id) => id < 1000,
    isFull: () => connection.isFull,
    receive: (bytes) => receive(bytes as Uint8Array),
  });
  return { connection, guard };
}

function* times(count: number, piece: Uint8Array): Generator<Uint8Array> {
  for (let i = 0; i < count; i++) yield piece;
}
const { data, windowUpdate } = types;
const { syn, fin } = flags;

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
    it(`arrive as they were sent, in pieces of ${size} bytes`, async () => {
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
      const { connection, guard } = guarded((bytes) => handed.push(bytes));
      await connection.bring(cut(sent, size), guard);
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
    const { guard } = guarded((bytes) => handed.push(bytes));
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
    const { guard } = guarded(() => assert.fail("nothing is handed on"));
    assert.throws(() => guard.add(header(data, 0, 99_999, window + 1)), TransportError);
  });

  it("attack: take time by their bytes, however short the pieces are that they come in", async () => {
    let bytes = 0;
    const { connection, guard } = guarded(
      (part) => {
        bytes += part.byteLength;
      },
      { frames: endlessly(), streams: endlessly() },
    );
    guard.add(header(data, 0, 99_999, 200_000));
    const began = performance.now();
    assert.equal(await connection.bring(times(200_000, new Uint8Array(1)), guard), 200_000);
    assert.ok(performance.now() - began < 1500, `${performance.now() - began} ms`);
    // Each part has a header of its own.
    assert.ok(bytes >= 200_000 && bytes < 201_000, `${bytes} bytes`);
  });

  it("attack: hold on to no record that they came in, where they are short", () => {
    const handed: Uint8Array[] = [];
    const { guard } = guarded((bytes) => handed.push(bytes));
    const record = Buffer.concat([
      header(data, 0, 1, 1),
      Buffer.of(7),
      header(data, 0, 99, 65_000),
      Buffer.alloc(65_000),
    ]);
    guard.add(record);
    assert.deepEqual([handed[1]![0], handed[1]!.buffer.byteLength < 1000], [7, true]);
  });

  it("attack: end the connection when they come without end, pings among them, or open streams without end", async () => {
    const endless = async (frame: Uint8Array, most: number) => {
      let taken = 0;
      const { connection, guard } = guarded(() => {
        taken++;
      });
      await assert.rejects(connection.bring(times(100_000, frame), guard), TransportError);
      assert.ok(taken <= most, `${taken} frames`);
    };
    await endless(header(2, syn, 0, 1), 12_000);
    await endless(header(windowUpdate, syn, 1, 0), 4_000);
  });

  it("attack: end the connection when their answers are not read", async () => {
    const { connection, guard } = guarded(() => undefined);
    connection.isFull = true;
    for (let i = 0; i < 4; i++) {
      await connection.bring(times(1000, header(2, syn, 0, 1)), guard);
      guard.drained();
    }
    await assert.rejects(connection.bring(times(1100, header(2, syn, 0, 1)), guard), TransportError);
  });

  it("attack: are taken a few hundred in a turn, and nothing is read until then", async () => {
    let taken = 0;
    const { connection, guard } = guarded(() => {
      taken++;
    });
    const read = Buffer.concat([...times(2000, header(windowUpdate, 0, 1, 1))]);
    guard.add(read);
    assert.deepEqual([taken, connection.readStatus], [256, "paused"]);
    await delay(50);
    assert.deepEqual([taken, connection.readStatus], [2000, "readable"]);
  });
});

describe("frames of strangers", () => {
  const ping = header(2, syn, 0, 1);

  /** How many frames of each connection are taken in so many milliseconds. */
  const takenOf = async (all: readonly OwnRates[], milliseconds: number) => {
    let taken = 0;
    const brought = all.map((rates) => {
      const { connection, guard } = guarded(() => {
        taken++;
      }, rates);
      return connection.bring(times(100_000, ping), guard, milliseconds);
    });
    await Promise.all(brought);
    return taken;
  };
  const manyOf = (rates: ConnectionRates, net: (i: number) => string | undefined) =>
    Array.from({ length: 50 }, (_, i) => own(rates, `stranger ${i}`, "inbound", net(i)));

  it("attack: are few in all, under however many names, and leave registered peers theirs", async () => {
    for (const net of [(i: number) => `net ${i}`, () => undefined]) {
      const rates = new ConnectionRates((peer) => peer === "registered");
      const began = performance.now();
      const taken = await takenOf(manyOf(rates, net), 300);
      const most = 4000 + 8 * (performance.now() - began) + 500;
      assert.ok(taken > 4000 && taken < most, `${taken} frames, ${most} at most`);
      const { connection, guard } = guarded(() => undefined, own(rates));
      assert.equal(await connection.bring(times(7000, header(windowUpdate, 0, 1, 1)), guard), 7000);
    }
  });

  it("attack: are few of one network, however many connections it makes, one after the other or at once", async () => {
    const rates = new ConnectionRates(() => false);
    const began = performance.now();
    let taken = await takenOf(
      manyOf(rates, () => "net"),
      200,
    );
    for (let i = 0; i < 3; i++)
      taken += await takenOf(
        manyOf(rates, () => "net"),
        50,
      );
    const most = 2000 + (performance.now() - began) + 500;
    assert.ok(taken >= 2000 && taken < most, `${taken} frames, ${most} at most`);
    const another = own(rates, "another", "inbound", "another net");
    assert.ok((await takenOf([another], 100)) >= 1000, "and others are heard");
  });

  it("wait where there are too many, and cost nobody the connection", async () => {
    const rates = new ConnectionRates(() => false);
    let taken = 0;
    const { connection, guard } = guarded(
      () => {
        taken++;
      },
      own(rates, "stranger"),
    );
    const read = await connection.bring(times(2500, header(windowUpdate, 0, 1, 1)), guard);
    assert.deepEqual([read, connection.error], [2500, undefined]);
    assert.ok(taken >= 2400, `${taken} frames`);
  });

  it("are not those of a peer that this node has dialled", async () => {
    const rates = new ConnectionRates(() => false);
    await takenOf([own(rates, "stranger")], 50);
    const { connection, guard } = guarded(() => undefined, own(rates, "provider", "outbound"));
    const began = performance.now();
    assert.equal(await connection.bring(times(7000, header(windowUpdate, 0, 1, 1)), guard), 7000);
    assert.ok(performance.now() - began < 1000, `${performance.now() - began} ms`);
  });

  it("are not counted where they bring data, however much a stranger sends", async () => {
    const { connection, guard } = guarded(() => undefined, own(new ConnectionRates(() => false), "stranger"));
    const frame = Buffer.concat([header(data, 0, 1, 4096), Buffer.alloc(4096)]);
    assert.equal(await connection.bring(times(20_000, frame), guard), 20_000);
  });

  it("attack: are counted where they bring data for no stream, of which no window bounds how much comes", async () => {
    const bringing = (bytes: number) => Buffer.concat([header(data, 0, 99_999, bytes), Buffer.alloc(bytes)]);
    for (const bytes of [4096, 65_536]) {
      const { connection, guard } = guarded(
        () => undefined,
        own(new ConnectionRates(() => false), "stranger"),
      );
      const began = performance.now();
      const read = await connection.bring(times(20_000, bringing(bytes)), guard, 500);
      const most = 2000 + (performance.now() - began) + 500;
      const price = Math.max(1, bytes / 16_384);
      assert.ok(read * price < most, `${read} frames of ${bytes} bytes`);
    }
    // What is under way on all streams of a connection when they are reset.
    const { connection, guard } = guarded(() => undefined);
    assert.equal(await connection.bring(times(64 * 16, bringing(65_536)), guard), 64 * 16);
  });
});

/** A reader of records, and what it has read. */
function reading(pieces: FrameRate = own().pieces) {
  const connection = new Connection();
  const { brake, onError } = connection;
  const read: Uint8Array[] = [];
  const receive = (record: Uint8Array) => void read.push(record.slice());
  return { connection, read, reader: new RecordReader({ pieces, brake, onError, receive }) };
}

describe("records of Noise", () => {
  const framed = (record: Uint8Array) =>
    Buffer.concat([Buffer.of(record.length >> 8, record.length & 0xff), record]);

  for (const size of [1, 2, 3, 100, 70_000]) {
    it(`are read as they were written, in pieces of ${size} bytes`, async () => {
      const random = generator(size + 1);
      const records = [
        random.bytes(1),
        random.bytes(300),
        random.bytes(size < 100 ? 3_000 : 65_535),
        random.bytes(17),
      ];
      const { connection, read, reader } = reading();
      const bytes = Buffer.concat([...records.map(framed), framed(new Uint8Array(0)), framed(records[0]!)]);
      await connection.bring(cut(bytes, size), reader);
      assert.equal(read.length, 5);
      for (const [i, record] of [...records, records[0]!].entries()) {
        assert.ok(Buffer.from(record).equals(read[i]!), `record ${i}`);
      }
    });
  }

  it("attack: take time by their bytes, however short the pieces are that they come in", async () => {
    const { connection, read, reader } = reading(endlessly());
    const bytes = Buffer.concat(Array<Buffer>(3).fill(framed(new Uint8Array(65_535))));
    const began = performance.now();
    await connection.bring(cut(bytes, 1), reader);
    assert.ok(performance.now() - began < 1500, `${performance.now() - began} ms`);
    assert.deepEqual(
      read.map(({ length }) => length),
      [65_535, 65_535, 65_535],
    );
  });

  it("attack: end the connection when too many short pieces come", async () => {
    const { connection, read, reader } = reading();
    await assert.rejects(connection.bring(times(100_000, Uint8Array.of(0xff)), reader), TransportError);
    assert.equal(read.length, 0);
  });

  it("attack: are taken a few hundred in a turn", async () => {
    const { connection, read, reader } = reading();
    reader.add(Buffer.concat([...times(2000, framed(new Uint8Array(20)))]));
    assert.deepEqual([read.length, connection.readStatus], [255, "paused"]);
    await delay(50);
    assert.deepEqual([read.length, connection.readStatus], [2000, "readable"]);
  });
});
