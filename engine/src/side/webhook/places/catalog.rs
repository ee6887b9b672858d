//! Places and dead letters in a catalog of their own: a record in its journal makes a change durable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use storage::{Catalog, Change, JournalError, OpenError};

use super::row::{
    letter_bytes, letter_key, letter_of, letter_of_key, place_key, place_of_key, standing_bytes,
    standing_of,
};
use super::{Letter, PlaceChange, Places, PlacesError, Saved};
use crate::side::webhook::names::EndpointKey;

const PLACES: &str = "webhook_places";
const LETTERS: &str = "webhook_letters";

/// Rows that are applied together: a batch has to fit a segment of the catalog's journal.
const ROWS_AT_ONCE_MAX: usize = 256;

/// See the module.
pub struct CatalogPlaces {
    dir: PathBuf,
    /// Absent once it has failed, until it is opened anew.
    catalog: Option<Catalog>,
}

impl CatalogPlaces {
    /// Opens it in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the disk refuses, or another process holds the folder.
    pub fn open(dir: &Path) -> Result<Self, PlacesError> {
        let catalog = Catalog::open(dir)?;
        Ok(Self { dir: dir.to_owned(), catalog: Some(catalog) })
    }

    fn catalog(&mut self) -> Result<&mut Catalog, PlacesError> {
        match &mut self.catalog {
            Some(catalog) => Ok(catalog),
            closed @ None => Ok(closed.insert(Catalog::open(&self.dir)?)),
        }
    }
}

impl Places for CatalogPlaces {
    fn load(&mut self) -> Result<Vec<Saved>, PlacesError> {
        let catalog = self.catalog()?;
        let mut found = BTreeMap::new();
        let empty = |endpoint: &EndpointKey| Saved {
            endpoint: endpoint.clone(),
            standings: Vec::new(),
            letters: Vec::new(),
        };
        for (key, value) in catalog.entries(PLACES)? {
            let Some((endpoint, feed)) = place_of_key(&key) else { return Err(strange(PLACES)) };
            let Some(standing) = standing_of(&value) else { return Err(strange(PLACES)) };
            let saved: &mut Saved = found.entry(endpoint).or_insert_with_key(empty);
            saved.standings.push((feed, standing));
        }
        for (key, _) in catalog.entries(LETTERS)? {
            let Some((endpoint, id)) = letter_of_key(&key) else { return Err(strange(LETTERS)) };
            found.entry(endpoint).or_insert_with_key(empty).letters.push(id);
        }
        Ok(found.into_values().collect())
    }

    fn save(&mut self, changes: &[PlaceChange], now_ms: u64) -> Result<(), PlacesError> {
        let mut rows = Vec::new();
        changes.iter().for_each(|it| push_rows(it, &mut rows));
        for rows in rows.chunks(ROWS_AT_ONCE_MAX) {
            let changes: Vec<Change<'_>> = rows.iter().map(Row::as_change).collect();
            if let Err(why) = self.catalog()?.apply(&changes, now_ms) {
                self.catalog = None; // What it holds now is seen when it is opened.
                return Err(why.into());
            }
        }
        Ok(())
    }

    fn letter(&mut self, of: &EndpointKey, id: u64) -> Result<Option<Letter>, PlacesError> {
        let found = self.catalog()?.get(LETTERS, &letter_key(of, id))?;
        let letter = found.map(|bytes| letter_of(id, &bytes).ok_or_else(|| strange(LETTERS)));
        letter.transpose()
    }
}

/// A change of the catalog, with its bytes.
struct Row {
    table: &'static str,
    key: Vec<u8>,
    /// `None` takes the key out.
    value: Option<Vec<u8>>,
}

impl Row {
    fn as_change(&self) -> Change<'_> {
        let (table, key) = (self.table, &*self.key);
        match &self.value {
            Some(value) => Change::Put { table, key, value },
            None => Change::Delete { table, key },
        }
    }
}

fn push_rows(change: &PlaceChange, rows: &mut Vec<Row>) {
    let mut push = |table, key, value| rows.push(Row { table, key, value });
    match change {
        PlaceChange::Stand(of, feed, standing) => {
            push(PLACES, place_key(of, feed), Some(standing_bytes(standing)));
        }
        PlaceChange::Letter(of, letter) => {
            push(LETTERS, letter_key(of, letter.id), Some(letter_bytes(letter)));
        }
        PlaceChange::LetterGone(of, id) => push(LETTERS, letter_key(of, *id), None),
        PlaceChange::EndpointGone(of, feeds, letters) => {
            feeds.iter().for_each(|feed| push(PLACES, place_key(of, feed), None));
            letters.iter().for_each(|id| push(LETTERS, letter_key(of, *id), None));
        }
    }
}

fn strange(table: &str) -> PlacesError {
    PlacesError(format!("read {table}: a row is of another version, or damaged"))
}

impl From<OpenError> for PlacesError {
    fn from(why: OpenError) -> Self {
        Self(format!("open the places of webhooks: {why}"))
    }
}

impl From<JournalError> for PlacesError {
    fn from(why: JournalError) -> Self {
        Self(format!("keep the places of webhooks: {why}"))
    }
}
