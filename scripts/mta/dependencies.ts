/** Packages other than programs: the only dependencies that a program needs in order to run without being installed. */
const LIBRARY = /^(lib|zlib)/;

/**
 * What has to be unpacked for these packages: themselves and, transitively, the libraries they depend on. `listing` is what
 * `apt-cache depends --recurse` prints: a package per unindented line, below it its dependencies, `|` before all but the last of
 * several alternatives, of which one taken too many does no harm.
 */
export function closureOf(packages: readonly string[], listing: string): string[] {
  const dependencies = parse(listing);
  const found = new Set(packages);
  for (const name of found) {
    for (const dependency of dependencies.get(name) ?? [])
      if (LIBRARY.test(dependency)) found.add(dependency);
  }
  return [...found].sort();
}

function parse(listing: string): Map<string, string[]> {
  const dependencies = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of listing.split('\n')) {
    const dependency = /^ +\|?(?:Pre)?Depends: (\S+)$/.exec(line)?.[1];
    // <name>: a virtual package
    if (dependency !== undefined) {
      if (!dependency.startsWith('<')) current.push(dependency);
    } else if (/^\S+$/.test(line)) {
      current = [];
      dependencies.set(line, current);
    }
  }
  return dependencies;
}
