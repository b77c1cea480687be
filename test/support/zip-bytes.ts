import { crc32 } from "node:zlib";

/** An entry as it is to stand in an archive; what is left out is right. */
export interface ZipEntryParts {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  /** Declared size, of both kinds. */
  readonly size?: number;
  /** Declared place of the local header. */
  readonly offset?: number;
}

/**
 * An archive with zip64 fields in its central directory, right or wrong as told. Entries lie end to
 * end from byte 0.
 *
 * @param extraBytes Length of what the caller puts between the entries and the central directory.
 */
export function zipBytes(
  entries: readonly ZipEntryParts[],
  extraBytes = 0,
): { entries: Buffer; directory: Buffer } {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const local = Buffer.concat([localHeader(entry), entry.data]);
    locals.push(local);
    centrals.push(centralHeader(entry, entry.offset ?? offset));
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = endRecords(entries.length, directory.length, offset + extraBytes);
  return { entries: Buffer.concat(locals), directory: Buffer.concat([directory, end]) };
}

function localHeader({ name, data, method = 0, flags = 0, crc }: ZipEntryParts): Buffer {
  const header = Buffer.alloc(30 + Buffer.byteLength(name));
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(45, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt16LE(method, 8);
  header.writeUInt32LE(crc ?? crc32(data), 14);
  header.writeUInt32LE(data.length, 18);
  header.writeUInt32LE(data.length, 22);
  header.writeUInt16LE(Buffer.byteLength(name), 26);
  header.write(name, 30);
  return header;
}

/** Sizes and place always stand in the zip64 extra field: id, length, size, stored size, offset. */
function centralHeader(entry: ZipEntryParts, offset: number): Buffer {
  const { name, data, method = 0, flags = 0, crc, size = data.length } = entry;
  const nameBytes = Buffer.byteLength(name);
  const header = Buffer.alloc(46 + nameBytes + 28);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(45, 4);
  header.writeUInt16LE(45, 6);
  header.writeUInt16LE(flags, 8);
  header.writeUInt16LE(method, 10);
  header.writeUInt32LE(crc ?? crc32(data), 16);
  header.writeUInt32LE(0xffffffff, 20);
  header.writeUInt32LE(0xffffffff, 24);
  header.writeUInt16LE(nameBytes, 28);
  header.writeUInt16LE(28, 30);
  header.writeUInt32LE(0xffffffff, 42);
  header.write(name, 46);
  const extra = 46 + nameBytes;
  header.writeUInt16LE(1, extra);
  header.writeUInt16LE(24, extra + 2);
  header.writeBigUInt64LE(BigInt(size), extra + 4);
  header.writeBigUInt64LE(BigInt(size), extra + 12);
  header.writeBigUInt64LE(BigInt(offset), extra + 20);
  return header;
}

function endRecords(entryCount: number, directoryBytes: number, directoryStart: number): Buffer {
  const end = Buffer.alloc(56 + 20 + 22);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeBigUInt64LE(BigInt(entryCount), 24);
  end.writeBigUInt64LE(BigInt(entryCount), 32);
  end.writeBigUInt64LE(BigInt(directoryBytes), 40);
  end.writeBigUInt64LE(BigInt(directoryStart), 48);
  end.writeUInt32LE(0x07064b50, 56);
  end.writeBigUInt64LE(BigInt(directoryStart + directoryBytes), 64);
  end.writeUInt32LE(1, 72);
  end.writeUInt32LE(0x06054b50, 76);
  end.writeUInt16LE(0xffff, 84);
  end.writeUInt16LE(0xffff, 86);
  end.writeUInt32LE(0xffffffff, 88);
  end.writeUInt32LE(0xffffffff, 92);
  return end;
}
