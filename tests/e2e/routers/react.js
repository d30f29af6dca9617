// A shop of one page, by react-router: titles come with the routes, a redirect, a query, a fragment.

import { createElement, useEffect } from "react";
import { createRoot } from "react-dom/client";
import {
  createBrowserRouter,
  Link,
  Navigate,
  Outlet,
  RouterProvider,
  redirect,
  useLocation,
} from "react-router";

const titles = { "/": "Home", "/mugs": "Mugs", "/cups": "Cups" };

const links = [
  ["mugs", "/mugs"],
  ["blue", "/mugs?colour=blue"],
  ["top", "/mugs?colour=blue#top"],
  ["element", "/by-element"],
  ["loader", "/by-loader"],
  ["cups", "/cups"],
  ["home", "/"],
];

function Shop() {
  const { pathname } = useLocation();
  useEffect(() => {
    document.title = titles[pathname] ?? document.title;
  }, [pathname]);
  const list = links.map(([id, to]) => createElement(Link, { id, key: id, to }, id));
  return createElement("main", {}, list, createElement(Outlet));
}

const leaf = (path) => ({ path, element: createElement("h1", {}, path) });
const router = createBrowserRouter(
  [
    {
      element: createElement(Shop),
      children: [
        leaf("/"),
        leaf("/mugs"),
        leaf("/cups"),
        { path: "/by-element", element: createElement(Navigate, { to: "/cups", replace: true }) },
        { path: "/by-loader", loader: () => redirect("/mugs") },
      ],
    },
  ],
  { basename: "/react" },
);
createRoot(document.body.appendChild(document.createElement("div"))).render(
  createElement(RouterProvider, { router }),
);
