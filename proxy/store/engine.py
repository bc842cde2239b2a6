"""The store as the keeper and the services use it: units of reading, units of writing, and a number that moves.

A write unit is alone; what it did is committed whole or not at all. When it changed anything a snapshot is made of,
the ``generation`` row moves with it, in the same transaction; recording attempts leaves it where it is.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from sqlalchemy import Engine, event, select, update
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction

from proxy.store import schema
from proxy.store.base import OfSnapshot
from proxy.store.connection import Place, create_file, engine_for, readers, writers
from proxy.store.errors import translated
from proxy.store.models import Generation
from proxy.store.watch import Seen, Watch

_CHANGED = "a snapshot's part changed"


class UnitOfWork(Session):
    """A session that notices whether it changed what a snapshot is made of."""


@event.listens_for(UnitOfWork, "before_flush")
def _notice_objects(session: Session, _context: UOWTransaction, _instances: object) -> None:
    touched = [*session.new, *session.deleted, *(o for o in session.dirty if session.is_modified(o))]
    if any(isinstance(o, OfSnapshot) for o in touched):
        session.info[_CHANGED] = True


@event.listens_for(UnitOfWork, "do_orm_execute")
def _notice_statements(state: ORMExecuteState) -> None:
    writes = state.is_insert or state.is_update or state.is_delete
    if writes and state.bind_mapper is not None and issubclass(state.bind_mapper.class_, OfSnapshot):
        state.session.info[_CHANGED] = True


class Store:
    """An open store. Every unit raises StoreError for what is wrong with the store, and nothing of a driver's."""

    def __init__(self, place: Place, engine: Engine) -> None:
        self.place = place
        self._engine = engine
        self._readers, self._writers = readers(engine), writers(engine)
        self._watch = Watch(place.file) if place.file else None
        self._watching = threading.Lock()
        self._seen: Seen | None = None
        self._number = 0

    @classmethod
    def open(cls, url: str, *, create: bool = False) -> Self:
        """Open the store at ``url``; with ``create``, make it first if nothing is there."""
        place = Place.parse(url)
        if create and place.file:
            create_file(place.file)
        engine = engine_for(place)
        try:
            with translated(str(place)), engine.connect() as connection:
                state = schema.of(connection).state
            if create and state is schema.SchemaState.EMPTY:
                schema.upgrade(url)
            with translated(str(place)), engine.connect() as connection:
                schema.demand_current(connection, place)
        except BaseException:
            engine.dispose()
            raise
        return cls(place, engine)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One state of the store, to look at."""
        with translated(str(self.place)), Session(self._readers, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A unit of work, alone: committed at the end of the body, rolled back if that raises."""
        with translated(str(self.place)), UnitOfWork(self._writers, expire_on_commit=False) as session:
            session.connection()  # the transaction begins, and waits for its turn, here
            yield session
            session.flush()
            if session.info.get(_CHANGED):
                session.execute(update(Generation).values(number=Generation.number + 1))
            session.commit()

    @contextmanager
    def rehearse(self) -> Iterator[Session]:
        """A unit of work that shows what it would do: alone like any other, and never committed."""
        with translated(str(self.place)), UnitOfWork(self._writers, expire_on_commit=False) as session:
            session.connection()
            yield session

    def generation(self) -> int:
        """A number that moves with every committed change to what a snapshot is made of. Cheap enough to poll."""
        if self._watch is None:
            return self._generation()
        with self._watching, translated(str(self.place)):
            seen = self._watch.look()
            if seen != self._seen:
                if self._seen is not None and seen.file != self._seen.file:
                    self._engine.dispose()  # another file was put in its place
                self._number = self._generation()
                self._seen = seen
            return self._number

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self._engine.dispose()

    def _generation(self) -> int:
        with self.read() as session:
            return session.scalars(select(Generation.number)).one()
