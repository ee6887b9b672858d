//! Places of a node that keeps nothing: its messages end with it, and so do these.

use std::collections::BTreeMap;

use super::{Letter, PlaceChange, Places, PlacesError, Saved};
use crate::side::webhook::names::EndpointKey;

/// The dead letters; nobody asks for the rest before the next start.
#[derive(Debug, Default)]
pub struct MemoryPlaces(BTreeMap<(EndpointKey, u64), Letter>);

impl Places for MemoryPlaces {
    fn load(&mut self) -> Result<Vec<Saved>, PlacesError> {
        Ok(Vec::new())
    }

    fn save(&mut self, changes: &[PlaceChange], _: u64) -> Result<(), PlacesError> {
        for change in changes {
            match change {
                PlaceChange::Stand(..) => {}
                PlaceChange::Letter(of, letter) => {
                    self.0.insert((of.clone(), letter.id), letter.clone());
                }
                PlaceChange::LetterGone(of, id) => {
                    self.0.remove(&(of.clone(), *id));
                }
                PlaceChange::EndpointGone(of, _, letters) => {
                    self.0.retain(|(key, id), _| key != of || !letters.contains(id));
                }
            }
        }
        Ok(())
    }

    fn letter(&mut self, of: &EndpointKey, id: u64) -> Result<Option<Letter>, PlacesError> {
        Ok(self.0.get(&(of.clone(), id)).cloned())
    }
}
