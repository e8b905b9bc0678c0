// What every page is given.

export interface PageProps {
  /** What stands behind the page's name in the address, such as a search. */
  readonly search: URLSearchParams;
}
