//! One streaming call to one route, and one classifier of everything that can go wrong with it.
